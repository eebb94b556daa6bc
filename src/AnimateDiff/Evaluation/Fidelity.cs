using AnimateDiff.Video;

namespace AnimateDiff.Evaluation;

/// <summary>How near a clip comes to a reference clip of the same size and length.</summary>
internal static class Fidelity
{
    /// <summary>The most that <see cref="Psnr"/> says: what 8 bits cannot exceed by much (the error of rounding alone is 58.9 dB).</summary>
    public const double Equal = 60;

    private const double Sigma = 1.5;
    private static readonly float C1 = (float)Math.Pow(0.01 * 255, 2), C2 = (float)Math.Pow(0.03 * 255, 2);

    /// <summary>Peak signal-to-noise ratio in dB over all pixels of all frames, at most 60: 10·log₁₀(255² / mean square difference).</summary>
    public static double Psnr(VideoFrames clip, VideoFrames reference)
    {
        var sum = 0.0;
        for (var frame = 0; frame < clip.Frames; frame++)
        {
            var one = clip[frame];
            var other = reference[frame];
            for (var i = 0; i < one.Length; i++)
                sum += (one[i] - other[i]) * (one[i] - other[i]);
        }
        return sum == 0 ? Equal : Math.Min(Equal, 10 * Math.Log10(255.0 * 255 * clip.Frames * clip[0].Length / sum));
    }

    /// <summary>
    /// Structural similarity of the brightness, −1…1, the mean over pixels and frames: Z. Wang et al., "Image quality assessment: from error visibility to
    /// structural similarity", 2004, with their Gaussian window of σ = 1.5 in 11 × 11 pixels, K₁ = 0.01 and K₂ = 0.03; at the border the window is what lies inside.
    /// </summary>
    public static double Ssim(VideoFrames clip, VideoFrames reference, CancellationToken cancellationToken = default) => Enumerable.Range(0, clip.Frames).Average(frame =>
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Ssim(Plane.Luma(clip, frame), Plane.Luma(reference, frame));
    });

    private static double Ssim(Plane x, Plane y)
    {
        var (meanX, meanY) = (x.Blur(Sigma), y.Blur(Sigma));
        var (squareX, squareY, product) = (x.With(x, Product).Blur(Sigma), y.With(y, Product).Blur(Sigma), x.With(y, Product).Blur(Sigma));
        var sum = 0.0;
        for (var i = 0; i < x.Values.Length; i++)
        {
            var (mx, my) = (meanX.Values[i], meanY.Values[i]);
            sum += (2 * mx * my + C1) * (2 * (product.Values[i] - mx * my) + C2) / ((mx * mx + my * my + C1) * (squareX.Values[i] - mx * mx + squareY.Values[i] - my * my + C2));
        }
        return sum / x.Values.Length;

        static float Product(float a, float b) => a * b;
    }
}
