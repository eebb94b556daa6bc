using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Denoising;

/// <summary>
/// The alternative of AnimateDiff's ablation (Guo et al. 2023, arXiv 2307.04725, §5.3): <see cref="TemporalTransformerBlock"/> with 1-D convolutions along the
/// frames for its two attentions. A convolution has a matrix for each of its three taps where an attention has those of queries, keys and values, and the same
/// output projection, so that both blocks have the same number of parameters. Zeros beyond the first and last frame tell where they are: no position encoding.
/// </summary>
internal sealed class TemporalConvolutionBlock : nn.Module<Tensor, Tensor>
{
    /// <summary>Frames that a convolution sees.</summary>
    internal const long Taps = 3;

    private readonly LayerNorm norm1;
    private readonly Conv1d conv1;
    private readonly Linear proj1;
    private readonly LayerNorm norm2;
    private readonly Conv1d conv2;
    private readonly Linear proj2;
    private readonly LayerNorm norm3;
    private readonly FeedForward ff;

    public TemporalConvolutionBlock(long channels, Device? device = null) : base(nameof(TemporalConvolutionBlock))
    {
        norm1 = nn.LayerNorm(channels, device: device);
        conv1 = nn.Conv1d(channels, channels, Taps, padding: Taps / 2, bias: false, device: device);
        proj1 = new Linear(channels, channels, device: device);
        norm2 = nn.LayerNorm(channels, device: device);
        conv2 = nn.Conv1d(channels, channels, Taps, padding: Taps / 2, bias: false, device: device);
        proj2 = new Linear(channels, channels, device: device);
        norm3 = nn.LayerNorm(channels, device: device);
        ff = new(channels, device);
        RegisterComponents();
    }

    /// <param name="tokens">[B, F, H·W, C]</param>
    public override Tensor forward(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        var hidden = norm1.call(tokens).Then(x => AlongFrames(conv1, x)).Silu().Then(proj1.call).Plus(tokens);
        hidden = norm2.call(hidden).Then(x => AlongFrames(conv2, x)).Silu().Then(proj2.call).PlusResidual(hidden);
        hidden = norm3.call(hidden).Then(ff.call).PlusResidual(hidden);
        return hidden.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// A convolution along the frames at each place, [B, F, H·W, C] → the same. The tokens are seen as channels-last images of F rows and convolved with a
    /// window one place wide, so nothing is moved for it.
    /// </summary>
    internal static Tensor AlongFrames(Conv1d conv, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        var mixed = nn.functional.conv2d(tokens.permute(0, 3, 1, 2), conv.weight.unsqueeze(3), conv.bias, padding: [Taps / 2, 0]);   // [B, C, F, H·W]
        return mixed.permute(0, 2, 3, 1).MoveToOuterDisposeScope();
    }
}
