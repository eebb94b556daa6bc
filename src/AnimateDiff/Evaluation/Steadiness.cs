using AnimateDiff.Video;

namespace AnimateDiff.Evaluation;

/// <summary>What disturbs when a clip plays: brightness that goes up and down, and a jump where it begins again.</summary>
internal static class Steadiness
{
    /// <summary>
    /// Flicker in percent of the full range: the mean over the inner frames of |Lₜ − (Lₜ₋₁ + Lₜ₊₁)/2|, L being a frame's mean brightness (Rec. 601). A clip that
    /// goes to and fro between two brightnesses has their difference; a fade, however steep, has 0, unlike with differences of neighbours. Lighting's flicker index
    /// (the share of the light above its mean) needs one period, which clips do not have.
    /// </summary>
    /// <returns>Null for fewer than three frames.</returns>
    public static double? Flicker(VideoFrames clip)
    {
        if (clip.Frames < 3)
            return null;
        double[] light = [.. Enumerable.Range(0, clip.Frames).Select(frame => Plane.Luma(clip, frame).Values.Average(value => (double)value))];
        return Enumerable.Range(1, clip.Frames - 2).Average(frame => Math.Abs(light[frame] - (light[frame - 1] + light[frame + 1]) / 2)) * 100 / 255;
    }

    /// <summary>
    /// The seam of a loop: the mean absolute difference between its last frame and its first, divided by the mean of those between neighbours. 1 = the step over
    /// the end is like any other; a clip that does not close has many times as much, one whose first frame comes twice less.
    /// </summary>
    /// <returns>Null for fewer than three frames.</returns>
    public static double? Seam(VideoFrames clip)
    {
        if (clip.Frames < 3)
            return null;
        var (over, usual) = (MotionEnergy.Of(clip.Select([clip.Frames - 1, 0])), MotionEnergy.Of(clip));
        return usual == 0 ? 1 : over / usual;                               // a clip that stands has no seam that differs
    }
}
