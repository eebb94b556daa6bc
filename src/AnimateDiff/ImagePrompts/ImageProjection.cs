using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.ImagePrompts;

/// <summary>A picture's vector as tokens: one linear layer for all, then a norm.</summary>
internal sealed class ImageProjection : nn.Module<Tensor, Tensor>
{
    private readonly Linear proj;
    private readonly LayerNorm norm;
    private readonly int _tokens;

    /// <param name="inputs">P, size of the vector.</param>
    /// <param name="tokens">Number of tokens.</param>
    /// <param name="width">Channels of a token.</param>
    /// <param name="device">Where the weights are made.</param>
    public ImageProjection(long inputs, int tokens, long width, Device? device = null) : base(nameof(ImageProjection))
    {
        _tokens = tokens;
        proj = new Linear(inputs, tokens * width, device: device);
        norm = nn.LayerNorm(width, device: device);
        RegisterComponents();
    }

    /// <param name="vectors">[B, P]</param>
    /// <returns>[B, tokens, width]</returns>
    public override Tensor forward(Tensor vectors)
    {
        using var scope = NewDisposeScope();
        return norm.call(proj.call(vectors).unflatten(1, _tokens, -1)).MoveToOuterDisposeScope();
    }
}
