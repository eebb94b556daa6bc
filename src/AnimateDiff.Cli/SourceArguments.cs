using System.CommandLine;

namespace AnimateDiff.Cli;

/// <summary>The options that say what a clip is made from besides noise.</summary>
internal sealed class SourceArguments
{
    private readonly Option<string?> _video = new("--video") { Description = "A video, or a folder of pictures, to make anew; --frames is its length by default.", HelpName = "FILE|DIR" };
    private readonly Option<string?> _image = new("--image") { Description = "A picture that the animation leans towards.", HelpName = "FILE" };
    private readonly Option<string?> _latents = new("--latents") { Description = "Begins from the noise that animatediff invert made of a clip, to edit it, with the file's size, --steps and --scheduler-option where none are given; --guidance 1 and the same prompt bring the clip back.", HelpName = "FILE" };
    private readonly Option<string?> _mask = new("--mask") { Description = "What to repaint of --video or --image (white) and what to keep (black): one picture, or one for each frame.", HelpName = "FILE|DIR" };
    private readonly Option<double?> _strength = new("--strength") { Description = $"How much of --video or --image is made anew, above 0 up to 1 (default {ClipSource.UsualStrength}).", HelpName = "SHARE" };
    private readonly Option<string[]> _prompts = new("--prompt-at") { Description = "What the prompt becomes at a later frame, mixed in between; may be given several times.", HelpName = "FRAME:TEXT" };

    /// <summary>All of them, for a command that begins.</summary>
    public void AddTo(Command command)
    {
        AddFilesTo(command);
        command.Options.Add(_strength);
        command.Options.Add(_prompts);
    }

    /// <summary>Those that name files, for a command that makes a clip again whose files have moved.</summary>
    public void AddFilesTo(Command command)
    {
        command.Options.Add(_video);
        command.Options.Add(_image);
        command.Options.Add(_latents);
        command.Options.Add(_mask);
    }

    /// <summary>The source as asked for; null for noise alone.</summary>
    public ClipSource? Source(ParseResult parsed)
    {
        var (video, image, mask, strength) = (parsed.GetValue(_video), parsed.GetValue(_image), parsed.GetValue(_mask), parsed.GetValue(_strength));
        var latents = parsed.GetValue(_latents);
        string[] given = [.. new[] { (video, "--video"), (image, "--image"), (latents, "--latents") }.Where(option => option.Item1 is not null).Select(option => option.Item2)];
        if (given.Length > 1)
            throw new RequestException($"{string.Join(" and ", given)} are both given: a clip begins from one of them.");
        if (latents is not null)
            return (mask, strength) == (null, null) ? new ClipSource(SourceKind.Latents, latents, 1)
                : throw new RequestException($"{(mask is null ? "--strength" : "--mask")} says what to do with a video or picture, and --latents are noise: leave it out.");
        if ((video ?? image) is not { } path)
            return (mask, strength) == (null, null) ? null
                : throw new RequestException($"{(mask is null ? "--strength" : "--mask")} says what to do with a source, and there is none: give --video or --image too.");
        return new ClipSource(video is null ? SourceKind.Image : SourceKind.Video, path, strength ?? ClipSource.UsualStrength, mask);
    }

    /// <summary>A recorded source, its files where they are now.</summary>
    public ClipSource? Source(ParseResult parsed, ClipSource? recorded)
    {
        var mask = parsed.GetValue(_mask);
        (SourceKind Kind, Option<string?> Option)[] kinds = [(SourceKind.Video, _video), (SourceKind.Image, _image), (SourceKind.Latents, _latents)];
        var wrong = kinds.FirstOrDefault(kind => kind.Kind != recorded?.Kind && parsed.GetValue(kind.Option) is not null).Option ?? (mask is not null && recorded?.Mask is null ? _mask : null);
        if (wrong is not null)
            throw new RequestException($"{wrong.Name} is given, and the animation was made without: leave it out.");
        return recorded is null ? null : recorded with { Path = parsed.GetValue(kinds.First(kind => kind.Kind == recorded.Kind).Option) ?? recorded.Path, Mask = mask ?? recorded.Mask };
    }

    /// <summary>A request that begins from latents with the settings of their inversion where none are given, so that it goes the way back.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="request">The request; one without latents stays as it is.</param>
    /// <param name="steps">The command's option of this name, for what is given and what is its default.</param>
    /// <param name="semantics">The same.</param>
    public static GenerationRequest AsInverted(ParseResult parsed, GenerationRequest request, Option steps, Option semantics)
    {
        if (request.Source is not { Kind: SourceKind.Latents } source)
            return request;
        bool IsGiven(Option option) => parsed.GetResult(option) is { Implicit: false };
        var inverted = LatentsFile.Open(source.Path).Apply(request);
        return request with
        {
            Steps = IsGiven(steps) ? request.Steps : inverted.Steps,
            Semantics = IsGiven(semantics) ? request.Semantics : inverted.Semantics,
            SchedulerOptions = request.Scheduler != inverted.Scheduler ? request.SchedulerOptions
                : inverted.SchedulerOptions.Concat(request.SchedulerOptions).GroupBy(option => option.Key).ToDictionary(option => option.Key, option => option.Last().Value),
        };
    }

    /// <summary>What the prompt becomes.</summary>
    public IReadOnlyList<PromptAt> PromptsAt(ParseResult parsed) => [.. (parsed.GetValue(_prompts) ?? []).Select(PromptAt.Parse)];
}
