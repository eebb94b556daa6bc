using AnimateDiff.Control;
using AnimateDiff.Layers;
using AnimateDiff.Profiling;
using AnimateDiff.Weights;
using TorchSharp.Modules;

namespace AnimateDiff.Denoising;

/// <summary>
/// The image UNet of Stable Diffusion 1.x with motion modules after its resnets, or without them where there is no motion configuration.
/// Frames are images of the batch, [B·F, C, H, W]; only the motion modules, and normalisations that are told to, take them apart again.
/// The tensors of the motion modules are those with <c>motion_modules</c> in their name, so that image and motion files are loaded apart (<see cref="IsMotion"/>).
/// </summary>
internal sealed class UNetMotionModel : nn.Module<Tensor, Tensor, TextContext, Tensor>
{
    private readonly Conv2d conv_in;
    private readonly TimestepEmbedding time_embedding;
    private readonly ModuleList<DownBlock> down_blocks;
    private readonly MidBlock mid_block;
    private readonly ModuleList<UpBlock> up_blocks;
    private readonly GroupNorm conv_norm_out;
    private readonly Conv2d conv_out;
    private readonly Attention[] _crossAttentions;
    private readonly PositionEncoding[] _positions;

    /// <summary>The layers that attend to the text, in the order in which IP-Adapters count them: down, up, middle.</summary>
    public IReadOnlyList<Attention> CrossAttentions => _crossAttentions;

    /// <summary>Shape of the image layers.</summary>
    public UNetConfig Config { get; }

    /// <summary>What it computes in; weights may be kept in less.</summary>
    public ScalarType DType => conv_in.bias!.dtype;

    /// <summary>Shape of the motion modules, or null.</summary>
    public MotionConfig? Motion { get; }

    /// <summary>Whether the motion modules' own normalisation takes its statistics across the frames of a clip: diffusers does, the official code never does.</summary>
    public bool MotionNormAcrossFrames { get; set; }

    /// <summary>
    /// Whether the normalisations of the resnets and the last one take theirs across frames: the official code does for v1 modules
    /// (<c>use_inflated_groupnorm: false</c>), diffusers never does.
    /// </summary>
    public bool ResnetNormAcrossFrames { get; set; }

    /// <summary>Whose keys and values the self-attention of the image layers sees: other frames' in Text2Video-Zero and Tune-A-Video.</summary>
    public FrameAttention FrameAttention { get; set; }

    /// <summary>Whether the motion modules compute their position encodings: the official code does, diffusers uses the file's.</summary>
    public bool ComputesPositions
    {
        get => _positions is [{ Computed: true }, ..];
        set
        {
            foreach (var encoding in _positions)
                encoding.Computed = value;
        }
    }

    /// <summary>
    /// Whether, with gradients on, the resnets, transformers and motion modules keep only their inputs and run again in the backward pass
    /// (<see cref="Recompute"/>): the same gradients in a fraction of the memory.
    /// </summary>
    public bool Recomputes { get; set; }

    /// <summary>Elements of the pieces that layers run on one after the other, without gradients (<see cref="Denoising.Pieces"/>); null for all at once.</summary>
    public long? PieceSize { get; set; }

    /// <summary>Which clips and frames a call is about, for what is computed differently from frame to frame; set before a call where there is such a thing.</summary>
    public FramesInView InView { get; } = new();

    /// <summary>Told what each call spends its time on; null where nobody asks.</summary>
    public Profile? Profile { get; set; }

    public UNetMotionModel(UNetConfig config, MotionConfig? motion = null, Device? device = null) : base(nameof(UNetMotionModel))
    {
        config.Validate();
        motion?.ValidateFor(config);
        (Config, Motion) = (config, motion);
        if (config.TemporalAttention)
            (FrameAttention, ResnetNormAcrossFrames) = (FrameAttention.FirstAndFormer, true);                // as it is tuned

        var channels = config.BlockOutChannels;
        var last = channels.Count - 1;
        int Level(int level) => channels[Math.Clamp(level, 0, last)];
        conv_in = new Conv2d(config.InChannels, channels[0], 3, padding: 1, device: device);
        time_embedding = new(config, device);
        bool Attends(string type) => type.StartsWith("CrossAttn", StringComparison.Ordinal);
        var levels = Enumerable.Range(0, channels.Count).ToArray();
        down_blocks = new([.. levels.Select(i => new DownBlock(Level(i - 1), Level(i), Attends(config.DownBlockTypes[i]), i < last, config, motion, device))]);
        mid_block = new(channels[last], config, motion, device);
        up_blocks = new([.. levels.Select(i =>
            new UpBlock(Level(last - i + 1), Level(last - i), Level(last - i - 1), Attends(config.UpBlockTypes[i]), i < last, config, motion, device))]);
        conv_norm_out = Norms.GroupNorm(config.NormNumGroups, channels[0], config.NormEps, device);
        conv_out = new Conv2d(channels[0], config.OutChannels, 3, padding: 1, device: device);
        RegisterComponents();
        _positions = [.. modules().OfType<PositionEncoding>()];
        _crossAttentions = [.. new nn.Module[] { down_blocks, up_blocks, mid_block }.SelectMany(part => part.modules()).OfType<SpatialTransformerBlock>().Select(block => block.CrossAttention)];
    }

    /// <summary>Rounds the position encodings of the motion modules to the precision of their file (<see cref="PositionEncoding.Round"/>).</summary>
    public void RoundPositions(ScalarType precision)
    {
        foreach (var encoding in _positions)
            encoding.Round(precision);
    }

    /// <summary>Makes every motion module the identity, as training starts: the clip is what the image layers alone make.</summary>
    public void ZeroInitialiseMotion()
    {
        foreach (var module in modules().OfType<MotionModule>())
            module.ZeroInitialise();
    }

    /// <summary>New motion modules, which may have been built on the meta device: <see cref="ModuleWeights.Initialise"/>, then the identity.</summary>
    /// <param name="seed">Decides all values.</param>
    public void InitialiseMotion(ulong seed)
    {
        ModuleWeights.Initialise(this, IsMotion, seed);
        ZeroInitialiseMotion();
    }

    /// <summary>New attention along the frames for Tune-A-Video, which may have been built on the meta device: <see cref="ModuleWeights.Initialise"/>, then adding nothing.</summary>
    /// <param name="seed">Decides all values.</param>
    public void InitialiseTemporal(ulong seed)
    {
        ModuleWeights.Initialise(this, IsTemporal, seed);
        foreach (var block in modules().OfType<SpatialTransformerBlock>())
            block.ZeroInitialiseTemporal();
    }

    /// <summary>Whether a tensor of this name belongs to Tune-A-Video's attention along the frames.</summary>
    public static bool IsTemporal(string name) => name.Contains(".attn_temp.") || name.Contains(".norm_temp.");

    /// <summary>Whether a tensor of this name belongs to the motion modules.</summary>
    public static bool IsMotion(string name) => name.Contains("motion_modules.");

    /// <summary>Keys and values of the text for all layers, in the caller's dispose scope.</summary>
    /// <param name="embeddings">[B, L, D], one row per clip, or [B·F, L, D], one row per frame.</param>
    public TextContext Prepare(Tensor embeddings)
    {
        using var input = embeddings.to(DType, conv_in.weight.device);
        return new TextContext(embeddings.shape[0], _crossAttentions.ToDictionary(layer => layer, layer => layer.Project(input)));
    }

    /// <summary>One call for embeddings that are used once, as in training: gradients reach the text layers.</summary>
    /// <param name="sample">[B, 4, F, h, w]</param>
    /// <param name="timestep">[B]</param>
    /// <param name="embeddings">[B, L, D] or [B·F, L, D]</param>
    public Tensor Predict(Tensor sample, Tensor timestep, Tensor embeddings)
    {
        using var text = Prepare(embeddings);
        return call(sample, timestep, text);
    }

    /// <param name="sample">Noisy latents, [B, 4, F, h, w].</param>
    /// <param name="timestep">[B], or [1] for all clips.</param>
    /// <param name="text">From <see cref="Prepare"/>, for B or B·F rows.</param>
    /// <returns>The prediction in the sample's type, [B, 4, F, h, w].</returns>
    public override Tensor forward(Tensor sample, Tensor timestep, TextContext text) => Forward(sample, timestep, text, control: null);

    /// <summary>The prediction with what control adds to the outputs of the way down and of the middle block.</summary>
    /// <param name="sample">Noisy latents, [B, 4, F, h, w].</param>
    /// <param name="timestep">[B], or [1] for all clips.</param>
    /// <param name="text">From <see cref="Prepare"/>, for B or B·F rows.</param>
    /// <param name="control">Residuals, or null for none; those of the last whole call are taken where inner layers are left out.</param>
    /// <param name="deep">Where features are kept, or what earlier calls have left there, so that this call runs the outermost layers alone; null for neither.</param>
    public Tensor Forward(Tensor sample, Tensor timestep, TextContext text, ControlResiduals? control, DeepFeatures? deep = null)
    {
        using var measured = Profile?.Call(Profile.Denoising);
        using var scope = NewDisposeScope();
        var (clips, frames) = (sample.shape[0], sample.shape[2]);
        var images = clips * frames;
        if (text.Rows != clips && text.Rows != images)
            throw new ArgumentException($"The text has {text.Rows} rows; {clips} clips of {frames} frames take {clips} or {images}.", nameof(text));

        // 1. time
        var time = time_embedding.call(timestep.expand(clips)).Silu();                                       // [B, T]
        var context = new BlockContext(time, text, clips, ResnetNormAcrossFrames ? clips : images, MotionNormAcrossFrames ? clips : images, FrameAttention,
            Recomputes && is_grad_enabled() ? new Recompute() : null, PieceSize is { } size && !is_grad_enabled() ? new Pieces(size, InView) : null, deep);

        // 2. frames join the batch, channels last in memory
        var hidden = sample.to(DType).permute(0, 2, 3, 4, 1).flatten(0, 1).contiguous().permute(0, 3, 1, 2).Then(conv_in.call);

        // 3. down
        var skips = new Stack<Tensor>();
        skips.Push(hidden.alias());                                                                          // [B·F, C, h, w]
        foreach (var block in down_blocks)
            hidden = hidden.Then(x => block.call(x, context, skips));

        // 4. mid, or what an earlier call had of everything farther in
        if (deep?.Kept is { } kept)
            (hidden, skips) = (kept.alias(), deep.AddControlTo(skips));
        else
        {
            deep?.Keep(control);
            hidden = hidden.Then(x => mid_block.call(x, context));                                           // [B·F, C, h/8, w/8]
            if (control is not null)
                (hidden, skips) = (hidden.Then(x => x.Add(control.Mid)), control.AddTo(skips));
        }

        // 5. up, as far out as there are skips
        var levels = (skips.Count + Config.LayersPerBlock) / (Config.LayersPerBlock + 1);
        foreach (var block in up_blocks.TakeLast(levels))
            hidden = hidden.Then(x => block.call(x, context, skips));

        // 6. out
        hidden = hidden.Then(x => conv_norm_out.Over(x, context.ResnetSets)).Silu().Then(conv_out.call);     // [B·F, 4, h, w]
        return hidden.unflatten(0, clips, frames).transpose(1, 2).to(sample.dtype).contiguous().MoveToOuterDisposeScope();
    }
}
