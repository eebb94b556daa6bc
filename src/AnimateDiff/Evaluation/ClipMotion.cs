using AnimateDiff.Video;

namespace AnimateDiff.Evaluation;

/// <summary>
/// How a clip moves. Lengths are in percent of the picture's shorter side per frame, so that clips of different sizes compare; brightness is what is looked at,
/// brought to at most 128 pixels, so that grain and compression count little.
/// </summary>
/// <param name="Mean">Mean length of the ways of all parts that were found again in the frame before (<see cref="BlockFlow"/>); those that stand still count too.</param>
/// <param name="Peak">Mean of the longest 5 % of them in each frame.</param>
/// <param name="Right">How far the picture as a whole moves to the right (<see cref="PhaseCorrelation"/>), the mean over the frames.</param>
/// <param name="Down">How far down.</param>
/// <param name="Zoom">By how many percent the content grows from frame to frame.</param>
/// <param name="WarpingError">
/// Mean absolute difference, in percent of the full range, between a frame and the frame before when its parts were moved as found: what no motion explains. As in
/// W.-S. Lai et al., "Learning blind video temporal consistency", 2018, with blocks for a network's flow, and what comes into view counting too.
/// </param>
internal sealed record ClipMotion(double Mean, double Peak, double Right, double Down, double Zoom, double WarpingError)
{
    private const int LargestSide = 128;
    private const double Longest = 0.05;

    /// <summary>Measures a clip; null where it has one frame, or a side below 16 pixels.</summary>
    public static ClipMotion? Of(VideoFrames clip, CancellationToken cancellationToken = default)
    {
        var shorter = Math.Min(clip.Width, clip.Height);
        if (clip.Frames < 2 || shorter < 2 * BlockFlow.Side)
            return null;
        var factor = (shorter + LargestSide - 1) / LargestSide;
        var percent = 100.0 / (shorter / factor);
        var steps = new List<ClipMotion>();
        var before = Plane.Luma(clip, 0).Reduce(factor);
        for (var frame = 1; frame < clip.Frames; frame++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var after = Plane.Luma(clip, frame).Reduce(factor);
            var flow = new BlockFlow(before, after);
            double[] ways = [.. flow.Blocks.Where(block => block.Known).Select(block => block.Length).OrderDescending()];
            var (right, down) = PhaseCorrelation.Between(before, after);
            steps.Add(new ClipMotion(
                ways.DefaultIfEmpty().Average() * percent, ways.Take((int)Math.Ceiling(Longest * ways.Length)).DefaultIfEmpty().Average() * percent,
                right * percent, down * percent, 100 * flow.Zoom(), flow.WarpingError() * 100 / 255));
            before = after;
        }
        return new(steps.Average(step => step.Mean), steps.Average(step => step.Peak), steps.Average(step => step.Right), steps.Average(step => step.Down),
            steps.Average(step => step.Zoom), steps.Average(step => step.WarpingError));
    }
}
