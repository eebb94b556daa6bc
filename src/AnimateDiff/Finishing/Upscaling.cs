using AnimateDiff.Layers;
using AnimateDiff.Video;

namespace AnimateDiff.Finishing;

/// <summary>
/// Larger pictures. Without a model: Lanczos, then the details are strengthened, and no pixel leaves the range of the old pixels around it, so that
/// edges get steeper without the light and dark seams that both leave.
/// </summary>
internal static class Upscaling
{
    private const double Strengthening = 0.6;

    /// <summary>A clip <paramref name="factor"/> times as large.</summary>
    /// <param name="frames">The clip.</param>
    /// <param name="factor">2 or more.</param>
    /// <param name="model">Makes the pictures larger, and they are brought to the size asked for; null for none.</param>
    /// <param name="done">Told how many of how many frames are done.</param>
    /// <param name="cancellationToken">Looked at before each frame.</param>
    public static VideoFrames Apply(VideoFrames frames, int factor, UpscaleModel? model, Action<int, int> done, CancellationToken cancellationToken)
    {
        var (height, width) = (frames.Height * factor, frames.Width * factor);
        var result = new VideoFramesBuilder(frames.Frames);
        for (var frame = 0; frame < frames.Frames; frame++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            done(frame, frames.Frames);
            using var scope = NewDisposeScope();
            var picture = FrameInterpolation.Picture(frames, frame);
            result.Append(model is null ? Sharp(picture, factor) : model.Enlarge(picture, cancellationToken).Then(large => Fit(large, height, width)));
        }
        done(frames.Frames, frames.Frames);
        return result.Build();
    }

    private static Tensor Fit(Tensor picture, long height, long width) =>
        (picture.shape[2], picture.shape[3]) == (height, width) ? picture.alias() : Lanczos.Resize(picture, height, width);

    /// <summary>A picture <paramref name="factor"/> times as large, [1, 3, factor·H, factor·W].</summary>
    internal static Tensor Sharp(Tensor picture, int factor)
    {
        using var scope = NewDisposeScope();
        var (h, w) = (picture.shape[2] * factor, picture.shape[3] * factor);
        var smooth = Lanczos.Resize(picture, h, w);
        var details = smooth - Warp.Mean(smooth, factor + 1 | 1);
        var (low, high) = (Around(picture.negative(), h, w).negative(), Around(picture, h, w));
        return minimum(maximum(smooth.Add(details.Times(Strengthening)), low), high).MoveToOuterDisposeScope();
    }

    // The largest of each pixel and its eight neighbours, at the larger size.
    private static Tensor Around(Tensor picture, long h, long w) =>
        nn.functional.max_pool2d(picture, 3, 1, 1).Then(x => nn.functional.interpolate(x, size: [h, w], mode: InterpolationMode.Nearest));
}
