using System.CommandLine;
using AnimateDiff.Configs;

namespace AnimateDiff.Cli;

/// <summary>The options that make clips better or longer, of every command that takes prompts.</summary>
internal sealed class QualityArguments
{
    private readonly Option<string?> _freeU = new("--freeu") { Description = "FreeU: more of the network's depth, less of its shortcuts; such as 0.9,0.2,1.2,1.4.", HelpName = "S1,S2,B1,B2" };
    private readonly Option<string?> _perturbed = new("--pag") { Description = "Perturbed-attention guidance, usually 3; LAYERS are parts of layers' names, the middle block's by default.", HelpName = "SCALE[:LAYERS]" };
    private readonly Option<double> _rescale = new("--guidance-rescale") { Description = "Brings guided pictures back from overexposure: 0 to 1, usually 0.7.", HelpName = "SHARE", DefaultValueFactory = _ => 0 };
    private readonly Option<int?> _freeInit = new("--free-init") { Description = "FreeInit: generates this often, each time from the last clip's coarse shape; calmer, usually 3.", HelpName = "RUNS" };
    private readonly Option<string?> _context = new("--context") { Description = "Long clips in overlapping windows of frames, such as 16:4; with :closed the clip loops.", HelpName = "LENGTH:OVERLAP[:closed]" };
    private readonly Option<string?> _work = new("--work") { Description = "Folder that keeps a run with --context after every step, so that the same command goes on where it was interrupted.", HelpName = "DIR" };
    private readonly Option<string?> _freeNoise = new("--free-noise") { Description = "Long clips by FreeNoise, in windows within the motion module, such as 16:4.", HelpName = "LENGTH:STRIDE" };
    private readonly Option<NoiseKind?> _noise = new("--noise") { Description = "The frames' initial noise: random (each its own), per-frame (each of a seed of its own, --seed and its number: longer clips begin the same), constant (one for all), repeated or shuffled (windows share it).", HelpName = "KIND" };
    private readonly Option<string[]> _frameSeeds = new("--frame-seed") { Description = "Draws a frame's initial noise anew, from another seed; may be given several times.", HelpName = "FRAME:SEED" };

    public QualityArguments() => _noise.CustomParser = result =>
    {
        if (KebabNames.Parse<NoiseKind>(result.Tokens[0].Value.ToLowerInvariant()) is { } kind)
            return kind;
        result.AddError($"--noise {result.Tokens[0].Value}: expected one of {string.Join(", ", KebabNames.Of<NoiseKind>())}.");
        return null;
    };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_freeU, _perturbed, _rescale, _freeInit, _context, _work, _freeNoise, _noise, _frameSeeds])
            command.Options.Add(option);
    }

    /// <summary>A request with what is asked for on the command line.</summary>
    public GenerationRequest Apply(ParseResult parsed, GenerationRequest request) => request with
    {
        FreeU = parsed.GetValue(_freeU) is { } freeU ? FreeU.Parse(freeU) : null,
        PerturbedAttention = parsed.GetValue(_perturbed) is { } perturbed ? PerturbedAttention.Parse(perturbed) : null,
        GuidanceRescale = parsed.GetValue(_rescale),
        FreeInit = parsed.GetValue(_freeInit),
        Context = parsed.GetValue(_context) is { } context ? FrameContext.Parse(context) : null,
        WorkFolder = parsed.GetValue(_work),
        FreeNoise = parsed.GetValue(_freeNoise) is { } freeNoise ? FreeNoise.Parse(freeNoise) : null,
        InitialNoise = parsed.GetValue(_noise),
        FrameSeeds = [.. (parsed.GetValue(_frameSeeds) ?? []).Select(FrameSeed.Parse)],
    };
}
