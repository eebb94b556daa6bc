using System.CommandLine;

namespace AnimateDiff.Cli;

/// <summary>The options that say what a clip is made from besides noise.</summary>
internal sealed class SourceArguments
{
    private readonly Option<string?> _video = new("--video") { Description = "A video, or a folder of pictures, to make anew; --frames is its length by default.", HelpName = "FILE|DIR" };
    private readonly Option<string?> _image = new("--image") { Description = "A picture that the animation leans towards.", HelpName = "FILE" };
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
        command.Options.Add(_mask);
    }

    /// <summary>The source as asked for; null for noise alone.</summary>
    public ClipSource? Source(ParseResult parsed)
    {
        var (video, image, mask, strength) = (parsed.GetValue(_video), parsed.GetValue(_image), parsed.GetValue(_mask), parsed.GetValue(_strength));
        if (video is not null && image is not null)
            throw new RequestException("--video and --image are both given: a clip begins from one of them.");
        if ((video ?? image) is not { } path)
            return (mask, strength) == (null, null) ? null
                : throw new RequestException($"{(mask is null ? "--strength" : "--mask")} says what to do with a source, and there is none: give --video or --image too.");
        return new ClipSource(video is null ? SourceKind.Image : SourceKind.Video, path, strength ?? ClipSource.UsualStrength, mask);
    }

    /// <summary>A recorded source, its files where they are now.</summary>
    public ClipSource? Source(ParseResult parsed, ClipSource? recorded)
    {
        var (video, image, mask) = (parsed.GetValue(_video), parsed.GetValue(_image), parsed.GetValue(_mask));
        var (other, option) = recorded?.Kind == SourceKind.Video ? (image, "--image") : (video, "--video");
        if (recorded is null ? (video ?? image ?? mask) is not null : other is not null || (mask is not null && recorded.Mask is null))
            throw new RequestException($"{(recorded is null ? "--video, --image or --mask is" : other is null ? "--mask is" : option + " is")} given, and the animation was made without: leave it out.");
        return recorded is null ? null : recorded with { Path = video ?? image ?? recorded.Path, Mask = mask ?? recorded.Mask };
    }

    /// <summary>What the prompt becomes.</summary>
    public IReadOnlyList<PromptAt> PromptsAt(ParseResult parsed) => [.. (parsed.GetValue(_prompts) ?? []).Select(PromptAt.Parse)];
}
