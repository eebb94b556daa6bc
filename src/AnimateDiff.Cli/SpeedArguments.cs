using System.CommandLine;

namespace AnimateDiff.Cli;

/// <summary>The options that make clips sooner, at the cost that <c>docs/speed.md</c> has measured.</summary>
internal sealed class SpeedArguments
{
    private readonly Option<string?> _deepCache = new("--deep-cache") { Description = "DeepCache: the whole network in every N-th step only, usually 2 or 3, and its outermost layers between them; BRANCH (0) is how far inward these go. Faster, and a somewhat different clip.", HelpName = "N[:BRANCH]" };
    private readonly Option<string?> _interval = new("--guidance-interval") { Description = "Guidance in a part of the steps only, such as 0-0.8; the others are half the work.", HelpName = "START-END" };
    private readonly Option<bool> _fast = new("--fast") { Description = "Less than half of the time for a clip much like the exact one: a sampler of fewer steps, and guidance in a part of them. Prints what it chose; what is given beside it wins." };

    public void AddTo(Command command)
    {
        command.Options.Add(_fast);
        command.Options.Add(_deepCache);
        command.Options.Add(_interval);
    }

    /// <summary>A request with what is asked for on the command line; what <c>--fast</c> chose is printed.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="request">The request with everything else.</param>
    /// <param name="steps">The command's option of this name, for what is given and what is its default.</param>
    /// <param name="scheduler">The same.</param>
    public GenerationRequest Apply(ParseResult parsed, GenerationRequest request, Option steps, Option scheduler)
    {
        request = request with
        {
            DeepCache = parsed.GetValue(_deepCache) is { } cache ? DeepCache.Parse(cache) : null,
            GuidanceInterval = parsed.GetValue(_interval) is { } interval ? GuidanceInterval.Parse(interval) : null,
        };
        if (!parsed.GetValue(_fast))
            return request;
        bool IsGiven(Option option) => parsed.GetResult(option) is { Implicit: false };
        var (fast, sentence) = FastMode.Apply(request, new(IsGiven(scheduler), IsGiven(steps), IsGiven(_interval)));
        Console.Error.WriteLine(sentence);
        return fast;
    }
}
