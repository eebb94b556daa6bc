using AnimateDiff.Finishing;
using AnimateDiff.Layers;
using AnimateDiff.Vae;

namespace AnimateDiff.Sampling;

/// <summary>The clips of a first run in the size of the second.</summary>
internal static class HiresStart
{
    /// <summary>Clean latents [B, 4, F, h, w] at another size.</summary>
    /// <param name="latents">Those of the first run.</param>
    /// <param name="mode">How.</param>
    /// <param name="size">Of the second run's clips.</param>
    /// <param name="vae">Knows pixels.</param>
    /// <param name="chunk">Frames the VAE takes at once; null for as many as fit.</param>
    /// <param name="cancellationToken">Looked at between frames.</param>
    public static Tensor Enlarge(Tensor latents, HiresMode mode, ClipSize size, AutoencoderKL vae, int? chunk, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        var (h, w) = (size.Height / vae.Config.PixelsPerLatent, size.Width / vae.Config.PixelsPerLatent);
        var frames = latents.transpose(1, 2).flatten(0, 1);                                                   // [B·F, 4, h, w]
        var large = mode switch
        {
            HiresMode.Latent => nn.functional.interpolate(frames, size: [h, w], mode: InterpolationMode.Bicubic, align_corners: false),
            HiresMode.LatentNearest => frames.index_select(2, Nearest(frames.shape[2], h, latents.device)).index_select(3, Nearest(frames.shape[3], w, latents.device)),
            _ => AsPictures(latents, size, vae, AnimateDiffPipeline.FramesAtOnce(chunk, size.Height, size.Width), cancellationToken),
        };
        return large.unflatten(0, size.Clips, size.Frames).transpose(1, 2).contiguous().MoveToOuterDisposeScope();
    }

    // The mean of what the VAE says, so that the clip stays as it is where it is not made anew.
    private static Tensor AsPictures(Tensor latents, ClipSize size, AutoencoderKL vae, int chunk, CancellationToken cancellationToken)
    {
        var large = new List<Tensor>();
        vae.DecodeFrames(latents, chunk, (_, images) =>
        {
            using var step = NewDisposeScope();
            using var distribution = vae.Encode(Lanczos.Resize(images.Clamp(-1, 1), size.Height, size.Width).Clamp(-1, 1));
            large.Add(distribution.Mean.Times(vae.Config.ScalingFactor).to(latents.device).DetachFromDisposeScope());
        }, cancellationToken);
        var all = cat(large);                                                                                 // [B·F, 4, h, w]
        large.ForEach(part => part.Dispose());
        return all;
    }

    // The old place whose middle is nearest to each new one's.
    private static Tensor Nearest(long from, long to, Device device) =>
        tensor([.. Enumerable.Range(0, (int)to).Select(place => (long)((place + 0.5) * from / to))], device: device);
}
