using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Denoising;

/// <summary>Attention within each image, and from each image to the text (diffusers' <c>Transformer2DModel</c>).</summary>
internal sealed class SpatialTransformer : nn.Module<Tensor, TextContext, FrameKeys, Tensor>
{
    private readonly GroupNorm norm;
    private readonly Conv2d proj_in;
    private readonly ModuleList<SpatialTransformerBlock> transformer_blocks;
    private readonly Conv2d proj_out;

    /// <summary>The layer that attends to the text.</summary>
    public Attention CrossAttention => transformer_blocks[0].CrossAttention;

    /// <summary>Whether it attends along the frames too.</summary>
    public bool MixesFrames { get; }

    public SpatialTransformer(long channels, UNetConfig config, Device? device = null) : base(nameof(SpatialTransformer))
    {
        MixesFrames = config.TemporalAttention;
        norm = Norms.GroupNorm(config.NormNumGroups, channels, eps: 1e-6, device);
        proj_in = new Conv2d(channels, channels, 1, device: device);
        transformer_blocks = new(new SpatialTransformerBlock(channels, config, device));
        proj_out = new Conv2d(channels, channels, 1, device: device);
        RegisterComponents();
    }

    /// <param name="images">[B·F, C, H, W]</param>
    /// <param name="text">Keys and values of the text.</param>
    /// <param name="frames">Whose keys and values the images' own attention sees.</param>
    public override Tensor forward(Tensor images, TextContext text, FrameKeys frames)
    {
        using var scope = NewDisposeScope();
        var tokens = norm.Over(images, images.shape[0]).Then(proj_in.call).Then(ImageTokens.ToTokens);                        // [B·F, H·W, C]
        foreach (var block in transformer_blocks)
            tokens = tokens.Then(x => block.call(x, text, frames));
        return tokens.Then(x => x.ToImages(images)).Then(proj_out.call).Plus(images).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Self-attention, cross-attention and feed-forward layer, each normalised before and added to what it started from; in Tune-A-Video then self-attention of each
/// place along the frames, which are told no positions.
/// </summary>
internal sealed class SpatialTransformerBlock : nn.Module<Tensor, TextContext, FrameKeys, Tensor>
{
    private readonly LayerNorm norm1;
    private readonly Attention attn1;
    private readonly LayerNorm norm2;
    private readonly Attention attn2;
    private readonly LayerNorm norm3;
    private readonly FeedForward ff;
    private readonly LayerNorm? norm_temp;                                                                   // null outside Tune-A-Video
    private readonly Attention? attn_temp;

    /// <summary>The layer that attends to the text.</summary>
    public Attention CrossAttention => attn2;

    public SpatialTransformerBlock(long channels, UNetConfig config, Device? device = null) : base(nameof(SpatialTransformerBlock))
    {
        norm1 = nn.LayerNorm(channels, device: device);
        attn1 = new(channels, config.Heads, device: device);
        norm2 = nn.LayerNorm(channels, device: device);
        attn2 = new(channels, config.Heads, config.CrossAttentionDim, device);
        norm3 = nn.LayerNorm(channels, device: device);
        ff = new(channels, device);
        if (config.TemporalAttention)
            (norm_temp, attn_temp) = (nn.LayerNorm(channels, device: device), new(channels, config.Heads, device: device));
        RegisterComponents();
    }

    /// <summary>Makes the attention along the frames add nothing, as tuning starts.</summary>
    public void ZeroInitialiseTemporal() => attn_temp?.ZeroInitialise();

    /// <param name="tokens">[B·F, H·W, C]</param>
    /// <param name="text">Keys and values of the text.</param>
    /// <param name="frames">Whose keys and values the images' own attention sees.</param>
    public override Tensor forward(Tensor tokens, TextContext text, FrameKeys frames)
    {
        using var scope = NewDisposeScope();
        var hidden = norm1.call(tokens).Then(x => frames.Attend(attn1, x)).Plus(tokens);
        hidden = norm2.call(hidden).Then(x => attn2.call(x, text.For(attn2))).PlusResidual(hidden);
        hidden = norm3.call(hidden).Then(ff.call).PlusResidual(hidden);
        if (attn_temp is not null)
            hidden = hidden.Then(x => AlongFrames(x.unflatten(0, frames.Clips, -1)));
        return hidden.MoveToOuterDisposeScope();
    }

    // [B, F, H·W, C] → [B·F, H·W, C]: every place is for itself
    private Tensor AlongFrames(Tensor tokens) => norm_temp!.call(tokens).Then(x => attn_temp!.call(x, null)).Plus(tokens).Then(x => x.flatten(0, 1));
}
