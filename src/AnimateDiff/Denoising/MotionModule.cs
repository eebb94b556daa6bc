using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Denoising;

/// <summary>
/// The temporal transformer of AnimateDiff (Guo et al. 2023, arXiv 2307.04725, §4.2): every place of the image attends along the frames, or is convolved
/// along them (<see cref="TemporalConvolutionBlock"/>).
/// </summary>
internal sealed class MotionModule : nn.Module<Tensor, BlockContext, Tensor>
{
    private readonly GroupNorm norm;
    private readonly Linear proj_in;
    private readonly ModuleList<nn.Module<Tensor, Tensor>> transformer_blocks;
    private readonly Linear proj_out;

    public MotionModule(long channels, MotionConfig config, Device? device = null) : base(nameof(MotionModule))
    {
        norm = Norms.GroupNorm(config.MotionNormNumGroups, channels, eps: 1e-6, device);
        proj_in = new Linear(channels, channels, device: device);
        transformer_blocks = new(config.IsConvolution ? new TemporalConvolutionBlock(channels, device) : new TemporalTransformerBlock(channels, config, device));
        proj_out = new Linear(channels, channels, device: device);
        RegisterComponents();
    }

    /// <summary>Makes the module the identity, as training starts: the output projection is zero.</summary>
    public void ZeroInitialise()
    {
        nn.init.zeros_(proj_out.weight);
        nn.init.zeros_(proj_out.bias!);
    }

    /// <param name="images">[B·F, C, H, W]</param>
    /// <param name="context">Clips in the batch and what is normalised together.</param>
    public override Tensor forward(Tensor images, BlockContext context)
        => Forward(images, context.Clips, context.MotionSets, context.Pieces);

    /// <param name="images">[B·F, C, H, W]</param>
    /// <param name="clips">B</param>
    /// <param name="sets">B·F to normalise frames for themselves, B for statistics across the frames of a clip.</param>
    /// <param name="pieces">Runs the layers on a few places at a time; null for all at once.</param>
    public Tensor Forward(Tensor images, long clips, long sets, Pieces? pieces = null)
    {
        using var scope = NewDisposeScope();
        var (n, c, h, w) = (images.shape[0], images.shape[1], images.shape[2], images.shape[3]);
        var tokens = norm.Over(images, sets).Then(ImageTokens.ToTokens).Then(x => x.view(clips, n / clips, h * w, c)); // [B, F, H·W, C]
        if (pieces is null)
            tokens = tokens.Then(Mix);
        else
            pieces.OverPlaces(tokens, Mix);
        return tokens.Then(x => x.ToImages(images)).Plus(images).MoveToOuterDisposeScope();
    }

    // [B, F, places, C] → the same: every place is for itself
    private Tensor Mix(Tensor tokens)
    {
        var hidden = proj_in.call(tokens);
        foreach (var block in transformer_blocks)
            hidden = hidden.Then(block.call);
        return hidden.Then(proj_out.call);
    }
}

/// <summary>Two self-attentions along the frames, or one (SparseCtrl), each told the positions of the frames, and a feed-forward layer.</summary>
internal sealed class TemporalTransformerBlock : nn.Module<Tensor, Tensor>
{
    private readonly PositionEncoding pos_embed;
    private readonly LayerNorm norm1;
    private readonly Attention attn1;
    private readonly LayerNorm? norm2;
    private readonly Attention? attn2;
    private readonly LayerNorm norm3;
    private readonly FeedForward ff;

    /// <summary>Windows of frames that attend for themselves, where FreeNoise is on.</summary>
    public FrameWindows? Windows { get; set; }

    public TemporalTransformerBlock(long channels, MotionConfig config, Device? device = null) : base(nameof(TemporalTransformerBlock))
    {
        pos_embed = new(channels, config.MotionMaxSeqLength);
        norm1 = nn.LayerNorm(channels, device: device);
        attn1 = new(channels, config.MotionNumAttentionHeads, device: device);
        if (config.HasSecondAttention)
        {
            norm2 = nn.LayerNorm(channels, device: device);
            attn2 = new(channels, config.MotionNumAttentionHeads, device: device);
        }
        norm3 = nn.LayerNorm(channels, device: device);
        ff = new(channels, device);
        RegisterComponents();
    }

    /// <param name="tokens">[B, F, H·W, C]</param>
    public override Tensor forward(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        var hidden = Windows is null ? Attend(tokens) : Windows.Average(tokens, Attend);
        hidden = norm3.call(hidden).Then(ff.call).PlusResidual(hidden);
        return hidden.MoveToOuterDisposeScope();
    }

    private Tensor Attend(Tensor tokens)
    {
        var positions = pos_embed.call(tokens);
        var hidden = norm1.call(tokens).Plus(positions).Then(x => attn1.call(x, null)).Plus(tokens);
        return attn2 is null ? hidden : norm2!.call(hidden).Plus(positions).Then(x => attn2.call(x, null)).PlusResidual(hidden);
    }
}

/// <summary>
/// Sinusoids of the frame number (Vaswani et al. 2017, §3.5): sin in even channels, cos in odd ones, of f / 10000^(2i/C).
/// A buffer, since checkpoints carry it; it is computed even where the weights are not (a module on the meta device).
/// </summary>
internal sealed class PositionEncoding : nn.Module<Tensor, Tensor>
{
    private const float LargestRounding = 0.01f;                                                             // bf16's is 0.004

    private readonly Tensor[] _computed;                                                                     // in an array, so that it is no buffer
    private Tensor[]? _table;                                                                                // _computed where it is used instead of pe
    private Tensor pe;

    public PositionEncoding(long channels, int frames) : base(nameof(PositionEncoding))
    {
        using var scope = NewDisposeScope();
        var frequencies = Scalars.Arange(channels, step: 2, ScalarType.Float32).Times(-Math.Log(10000.0) / channels).exp();
        var angles = Scalars.Arange(frames, dtype: ScalarType.Float32).unsqueeze(1) * frequencies;           // [F, C/2]
        pe = stack([angles.sin(), angles.cos()], dim: -1).view(1, frames, channels).DetachFromDisposeScope();
        _computed = [pe.clone().DetachFromDisposeScope()];
        RegisterComponents();
    }

    /// <summary>
    /// Whether the computed table is used instead of the file's, which is the same but for its rounding. A file's table that is something else
    /// (a trainer's that repeats or stretches rows) stays in use, and this stays false.
    /// </summary>
    public bool Computed
    {
        get => _table is not null;
        set => _table = value && IsRounding(pe, _computed[0]) ? _computed : null;                            // looked at here, not in every step
    }

    /// <summary>Rounds the file's table to the precision of the file's weights.</summary>
    public void Round(ScalarType precision)
    {
        using var rounded = pe.to(precision);
        pe.copy_(rounded);
    }

    /// <param name="tokens">[B, F, H·W, C]</param>
    /// <returns>The positions of its frames, [F, 1, C], to be added to it.</returns>
    public override Tensor forward(Tensor tokens)
    {
        var (frames, limit) = (tokens.shape[1], pe.shape[1]);
        if (frames > limit)
            throw new RequestException(
                $"The clip has {frames} frames, but the motion module's position encoding reaches {limit}; ask for {limit} frames or fewer.");
        using var scope = NewDisposeScope();
        var table = _table?[0] ?? pe;
        return table[0].narrow(0, 0, frames).unsqueeze(1).to(tokens.dtype, tokens.device).MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _computed[0].Dispose();
        base.Dispose(disposing);
    }

    private static bool IsRounding(Tensor stored, Tensor exact)
    {
        using var scope = NewDisposeScope();
        return (stored.to(ScalarType.Float32, CPU) - exact).abs().max().item<float>() < LargestRounding;
    }
}
