namespace AnimateDiff.Sampling;

/// <summary>
/// The start of image-to-video: frame f of F begins at slerp(noise, image, f/F · (1 − strength)). The formula is that of diffusers' community pipeline
/// <c>pipeline_animatediff_img2video.py</c>: the first frame is noise alone, later ones lean more and more towards the picture, so that the motion module,
/// which sees them all, carries it into the whole clip.
/// </summary>
internal static class LatentBlend
{
    // Above this cosine the two directions are taken as one, and a straight line joins them.
    private const double Parallel = 0.9995;

    /// <summary>The blend, [B, 4, F, h, w].</summary>
    /// <param name="image">Clean latents of the picture, [1, 4, 1, h, w].</param>
    /// <param name="noise">In the scale the run begins at, [B, 4, F, h, w].</param>
    /// <param name="strength">Above 0 up to 1.</param>
    /// <param name="first">The first frame that the noise is of, where it is a part of a clip.</param>
    /// <param name="of">F; null for as many as the noise has.</param>
    public static Tensor Towards(Tensor image, Tensor noise, double strength, int first = 0, int? of = null)
    {
        using var scope = NewDisposeScope();
        var frames = of ?? noise.shape[2];
        var clips = noise.unbind(0).Select(clip => stack(clip.unbind(1).Select((frame, index) =>                          // [4, h, w]
            Slerp(frame, image[0].select(1, 0), (first + index) / (double)frames * (1 - strength))), 1));
        return stack(clips).MoveToOuterDisposeScope();
    }

    /// <summary>The point at share <paramref name="t"/> of the arc from one vector to another (Shoemake 1985).</summary>
    internal static Tensor Slerp(Tensor from, Tensor to, double t)
    {
        using var scope = NewDisposeScope();
        using Tensor product = (from * to).sum(), lengths = from.norm() * to.norm();
        var cosine = product.item<float>() / (double)lengths.item<float>();
        var angle = Math.Acos(Math.Clamp(cosine, -1, 1));
        var (a, b) = Math.Abs(cosine) > Parallel
            ? (1 - t, t)
            : (Math.Sin(angle - angle * t) / Math.Sin(angle), Math.Sin(angle * t) / Math.Sin(angle));
        return from.Times(a).Add(to.Times(b)).MoveToOuterDisposeScope();
    }
}
