using System.CommandLine;

namespace AnimateDiff.Cli;

/// <summary>The options that steer a generation by pictures.</summary>
internal sealed class ControlArguments
{
    private readonly Option<string[]> _controlNet = new("--controlnet") { Description = "A ControlNet, its strength, and the share of the steps in which it acts, such as 0-0.5; one --control for each.", HelpName = "PATH[:CURVE[:START-END]]" };
    private readonly Option<string[]> _control = new("--control") { Description = "What the ControlNet follows: one picture for all frames, or a folder or video with one for each. With KIND= it is made of that: canny, soft-edges, scribble, lineart, luminance (for depth).", HelpName = "[KIND=]IMAGE|DIR|VIDEO" };
    private readonly Option<string?> _sparseControl = new("--sparsectrl") { Description = "A SparseCtrl encoder with its strength.", HelpName = "PATH[:CURVE]" };
    private readonly Option<string[]> _sparse = new("--sparse") { Description = "A frame's picture for SparseCtrl, such as 0:first.png, or -1:last.png; KIND as for --control; may be given several times.", HelpName = "INDEX:[KIND=]IMAGE" };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_controlNet, _control, _sparseControl, _sparse])
            command.Options.Add(option);
    }

    /// <summary>A request with the control given on the command line; without any, its own.</summary>
    /// <exception cref="RequestException">The options do not pair.</exception>
    public GenerationRequest Apply(ParseResult parsed, GenerationRequest request)
    {
        var (models, sources) = (parsed.GetValue(_controlNet) ?? [], parsed.GetValue(_control) ?? []);
        if (models.Length != sources.Length)
            throw new RequestException($"{models.Length} --controlnet and {sources.Length} --control do not pair: give one --control for each --controlnet.");
        var (encoder, images) = (parsed.GetValue(_sparseControl), parsed.GetValue(_sparse) ?? []);
        if (encoder is null && images.Length > 0)
            throw new RequestException($"--sparse {images[0]} needs an encoder that takes it: give one as --sparsectrl.");
        if (encoder is not null && images.Length == 0)
            throw new RequestException($"--sparsectrl {encoder} needs a picture: give one or more as --sparse INDEX:IMAGE.");
        return request with
        {
            Controls = models.Length > 0 ? [.. models.Zip(sources, ControlNetInput.Parse)] : request.Controls,
            Sparse = encoder is not null ? SparseControl.Parse(encoder, [.. images.Select(SparseImage.Parse)]) : request.Sparse,
        };
    }
}
