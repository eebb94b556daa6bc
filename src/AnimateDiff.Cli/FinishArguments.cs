using System.CommandLine;

namespace AnimateDiff.Cli;

/// <summary>The options for what comes after a clip: a second run at a larger size, frames between frames, larger frames.</summary>
internal sealed class FinishArguments
{
    private readonly Option<string?> _hires = new("--hires") { Description = $"A second run, SCALE times as large, that makes STRENGTH of the first one's clip anew (default {Hires.UsualStrength}) in that share of STEPS (default: --steps); such as 2 or 1.5:0.6:20.", HelpName = "SCALE[:STRENGTH[:STEPS]]" };
    private readonly Option<HiresMode?> _mode = new("--hires-mode") { Description = "How the clip is made larger for --hires: pixel (decoded and encoded again; default), latent or latent-nearest (quicker; softer, for strengths from 0.6)." };
    private readonly Option<int?> _interpolate = new("--interpolate") { Description = "2 or 4 times as many frames, by following what moves; played as many times as fast.", HelpName = "2|4" };
    private readonly Option<int?> _upscale = new("--upscale") { Description = "Frames 2 or 4 times as large.", HelpName = "2|4" };
    private readonly Option<string?> _model = new("--upscale-model") { Description = "An ESRGAN or Real-ESRGAN upscaler (.pth, .safetensors) for --upscale, instead of sharpened Lanczos.", HelpName = "FILE" };

    public FinishArguments() => _mode.CustomParser = result => result.Tokens[0].Value switch
    {
        "pixel" => HiresMode.Pixel,
        "latent" => HiresMode.Latent,
        "latent-nearest" => HiresMode.LatentNearest,
        var other => Wrong(result, other),
    };

    /// <summary>All of them, for a command that generates.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_hires);
        command.Options.Add(_mode);
        AddFinishTo(command);
    }

    /// <summary>Those for finished frames.</summary>
    public void AddFinishTo(Command command)
    {
        command.Options.Add(_interpolate);
        command.Options.Add(_upscale);
        AddFilesTo(command);
    }

    /// <summary>Those that name files, for a command that makes a clip again whose files have moved.</summary>
    public void AddFilesTo(Command command) => command.Options.Add(_model);

    /// <summary>A request with what is asked for on the command line.</summary>
    /// <exception cref="RequestException">The options do not go together.</exception>
    public GenerationRequest Apply(ParseResult parsed, GenerationRequest request)
    {
        var hires = parsed.GetValue(_hires) is { } text ? Hires.Parse(text) : null;
        if (hires is null && parsed.GetValue(_mode) is not null)
            throw new RequestException("--hires-mode says how a clip is made larger for a second run, and there is none: give --hires too.");
        return request with { Hires = hires is null ? null : hires with { Mode = parsed.GetValue(_mode) ?? HiresMode.Pixel }, Finish = Finish(parsed) is { } finish ? [finish] : [] };
    }

    /// <summary>What is asked for finished frames; null for nothing.</summary>
    /// <exception cref="RequestException">The options do not go together.</exception>
    public Finish? Finish(ParseResult parsed)
    {
        var (interpolate, upscale, model) = (parsed.GetValue(_interpolate), parsed.GetValue(_upscale), parsed.GetValue(_model));
        if (model is not null && upscale is null)
            throw new RequestException($"--upscale-model {model} makes frames larger, and how much is not said: give --upscale 2 or --upscale 4 too.");
        return (interpolate, upscale) == (null, null) ? null : new Finish(interpolate ?? 1, upscale ?? 1, model);
    }

    /// <summary>Recorded steps, their upscaler where it is now.</summary>
    public IReadOnlyList<Finish> Moved(ParseResult parsed, IReadOnlyList<Finish> recorded)
    {
        if (parsed.GetValue(_model) is not { } model)
            return recorded;
        return recorded.Any(step => step.UpscaleModel is not null)
            ? [.. recorded.Select(step => step.UpscaleModel is null ? step : step with { UpscaleModel = model })]
            : throw new RequestException("--upscale-model is given, and the animation was made without: leave it out.");
    }

    private static HiresMode? Wrong(System.CommandLine.Parsing.ArgumentResult result, string other)
    {
        result.AddError($"--hires-mode {other}: expected pixel, latent or latent-nearest.");
        return null;
    }
}
