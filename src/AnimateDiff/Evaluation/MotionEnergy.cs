using AnimateDiff.Video;

namespace AnimateDiff.Evaluation;

/// <summary>How much a clip changes.</summary>
internal static class MotionEnergy
{
    /// <summary>Mean absolute difference of neighbouring frames as a share of the full range: 0 for a picture that stands, 1 between black and white.</summary>
    public static double Of(VideoFrames clip)
    {
        if (clip.Frames < 2)
            return 0;
        var sum = 0L;
        for (var frame = 1; frame < clip.Frames; frame++)
        {
            var before = clip[frame - 1];
            var after = clip[frame];
            for (var i = 0; i < after.Length; i++)
                sum += Math.Abs(after[i] - before[i]);
        }
        return sum / (255.0 * (clip.Frames - 1) * clip[0].Length);
    }
}
