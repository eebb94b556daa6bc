using System.CommandLine;

namespace AnimateDiff.Cli;

/// <summary>The options that say how an image model makes clips.</summary>
internal sealed class MethodArguments
{
    private const int ZeroShotSteps = 50;

    private static readonly Dictionary<string, GenerationMethod> Methods = new()
    {
        ["animatediff"] = GenerationMethod.AnimateDiff,
        ["tune-a-video"] = GenerationMethod.TuneAVideo,
        ["text2video-zero"] = GenerationMethod.Text2VideoZero,
    };

    private readonly Option<string?> _method = new("--method") { Description = "animatediff (a motion module), tune-a-video (a model tuned on one video), or text2video-zero (the image model alone, whose picture is moved; 8 frames and 50 steps where none are given). By default what the models are made for.", HelpName = "METHOD" };
    private readonly Option<string?> _motion = new("--zero-motion") { Description = "text2video-zero: how far the picture moves to the left and up in each frame, in 512ths of it (default 12,12).", HelpName = "X,Y" };
    private readonly Option<string?> _steps = new("--zero-steps") { Description = "text2video-zero: the step where the picture is moved and the one where the later frames begin, counted from the last (default 44,47 of 50).", HelpName = "T0,T1" };

    public MethodArguments() => _method.AcceptOnlyFromAmong([.. Methods.Keys]);

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_method, _motion, _steps])
            command.Options.Add(option);
    }

    /// <summary>The models with what the method needs: the embedded one stands in without its motion module where an image model alone is to make the clip.</summary>
    public PipelineOptions Apply(ParseResult parsed, PipelineOptions options) =>
        MethodOf(parsed) == GenerationMethod.Text2VideoZero && parsed.GetValue<string?>("--motion") is null ? options with { Motion = null } : options;

    /// <summary>A request with what is asked for on the command line.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="request">The request with its steps.</param>
    /// <param name="steps">The command's option of this name.</param>
    public GenerationRequest Apply(ParseResult parsed, GenerationRequest request, Option steps)
    {
        var (method, motion, times) = (MethodOf(parsed), parsed.GetValue(_motion), parsed.GetValue(_steps));
        var zero = motion is null && times is null ? null : new ZeroShot();
        if (motion is not null)
            zero = zero!.WithMotion(motion);
        if (times is not null)
            zero = zero!.WithSteps(times);
        return request with
        {
            Method = method,
            ZeroShot = zero,
            Steps = method == GenerationMethod.Text2VideoZero && parsed.GetResult(steps) is not { Implicit: false } ? ZeroShotSteps : request.Steps,
        };
    }

    private GenerationMethod? MethodOf(ParseResult parsed) => parsed.GetValue(_method) is { } name ? Methods[name] : null;
}
