using AnimateDiff.Denoising;
using AnimateDiff.Layers;

namespace AnimateDiff.Control;

/// <summary>ControlNet (Zhang et al. 2023, arXiv 2302.05543): steers the image layers by a picture for every frame. Frames know nothing of each other in it, but where <see cref="ControlEncoder.FrameAttention"/> shows them others.</summary>
internal sealed class ControlNetModel(ControlConfig config, Device? device = null) : ControlEncoder(nameof(ControlNetModel), config,
    new ConditionEmbedding(config.ConditioningChannels, config.ConditioningEmbeddingOutChannels, config.UNet.BlockOutChannels[0], device), motion: null, device)
{
    /// <summary>The condition's features, which no step changes.</summary>
    /// <param name="pictures">One for each frame or one for all, [F or 1, 3, H, W] in 0…1.</param>
    /// <returns>[F or 1, C, h, w]</returns>
    public Tensor Embed(Tensor pictures) => EmbedImages(pictures);

    /// <summary>What it adds to the UNet.</summary>
    /// <param name="sample">Noisy latents, [B, 4, F, h, w].</param>
    /// <param name="timestep">[B], or [1] for all clips.</param>
    /// <param name="text">From <see cref="ControlEncoder.Prepare"/>, for B or B·F rows.</param>
    /// <param name="condition">From <see cref="Embed"/>: for all images, for the F frames of every clip, or for each of B·F.</param>
    /// <param name="scale">Strength.</param>
    public ControlResiduals Forward(Tensor sample, Tensor timestep, TextContext text, Tensor condition, double scale = 1)
    {
        using var scope = NewDisposeScope();
        var (clips, frames) = (sample.shape[0], sample.shape[2]);
        var images = ChannelsLast(sample.transpose(1, 2).flatten(0, 1));                                     // [B·F, 4, h, w]
        var hidden = images.Then(conv_in.call).Plus(condition.repeat(clips * frames / condition.shape[0], 1, 1, 1));
        return Encode(hidden, timestep, text, clips, motionSets: clips * frames, scale).MoveToOuterDisposeScope();
    }
}
