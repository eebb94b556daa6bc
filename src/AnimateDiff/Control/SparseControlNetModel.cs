using AnimateDiff.Denoising;
using AnimateDiff.Layers;

namespace AnimateDiff.Control;

/// <summary>
/// SparseCtrl (Guo et al. 2023, arXiv 2311.16933): steers a clip by pictures of some of its frames; its motion modules carry them to the others. It does not
/// look at the noisy latents (§3.2), which would keep the frames without a picture as they are.
/// </summary>
internal sealed class SparseControlNetModel : ControlEncoder
{
    private readonly PositionEncoding[] _positions;

    /// <summary>Whether the motion modules' own normalisation takes its statistics across the frames: diffusers does, the official code never does.</summary>
    public bool MotionNormAcrossFrames { get; set; }

    /// <summary>Whether the motion modules compute their position encodings: the official code does, diffusers uses the file's.</summary>
    public bool ComputesPositions
    {
        set
        {
            foreach (var encoding in _positions)
                encoding.Computed = value;
        }
    }

    /// <summary>Whether the condition is latents of the pictures instead of the pictures.</summary>
    public bool TakesLatents => Config.UseSimplifiedConditionEmbedding;

    public SparseControlNetModel(ControlConfig config, Device? device = null)
        : base(nameof(SparseControlNetModel), config, Embedding(config, device), config.SparseMotion, device)
        => _positions = [.. modules().OfType<PositionEncoding>()];

    /// <summary>Rounds the position encodings to the precision of their file.</summary>
    public void RoundPositions(ScalarType precision)
    {
        foreach (var encoding in _positions)
            encoding.Round(precision);
    }

    /// <summary>The condition's features, which no step changes.</summary>
    /// <param name="condition">[F, 3, H, W] pictures in 0…1, or [F, 4, h, w] their latents (<see cref="TakesLatents"/>); zero in frames that have none.</param>
    /// <param name="mask">[F, 1, …], of the size of the condition: 1 in frames that have one, 0 in others.</param>
    /// <returns>[F, C, h, w], or [B·F, C, h, w] of so many conditions</returns>
    public Tensor Embed(Tensor condition, Tensor mask)
    {
        using var scope = NewDisposeScope();
        return EmbedImages(Config.ConcatConditioningMask ? cat([condition, mask], 1) : condition).MoveToOuterDisposeScope();
    }

    /// <summary>What it adds to the UNet.</summary>
    /// <param name="timestep">[B], or [1] for all clips.</param>
    /// <param name="text">From <see cref="ControlEncoder.Prepare"/>, for B or B·F rows.</param>
    /// <param name="condition">From <see cref="Embed"/>, of F frames for all clips, or of B·F.</param>
    /// <param name="clips">B</param>
    /// <param name="frames">F</param>
    /// <param name="scale">Strength.</param>
    public ControlResiduals Forward(Tensor timestep, TextContext text, Tensor condition, long clips, long frames, double scale = 1)
    {
        using var scope = NewDisposeScope();
        var started = condition.Add(conv_in.bias!.view(1, -1, 1, 1));                                        // conv_in of zeros is its bias
        var hidden = started.repeat(clips * frames / condition.shape[0], 1, 1, 1).Then(ChannelsLast);        // [B·F, C, h, w]
        return Encode(hidden, timestep, text, clips, MotionNormAcrossFrames ? clips : hidden.shape[0], scale).MoveToOuterDisposeScope();
    }

    private static nn.Module<Tensor, Tensor> Embedding(ControlConfig config, Device? device)
    {
        var channels = config.ConditioningChannels + (config.ConcatConditioningMask ? 1 : 0);
        return config.UseSimplifiedConditionEmbedding
            ? new Conv2d(channels, config.UNet.BlockOutChannels[0], 3, padding: 1, device: device)
            : new ConditionEmbedding(channels, config.ConditioningEmbeddingOutChannels, config.UNet.BlockOutChannels[0], device);
    }
}
