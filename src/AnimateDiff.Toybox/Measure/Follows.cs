using AnimateDiff.Video;

namespace AnimateDiff.Toybox.Measure;

/// <summary>How closely a clip follows another one of the same size and length.</summary>
internal static class Follows
{
    // Where frames are equal: what 8 bits cannot exceed by much (the error of rounding alone is 58.9 dB).
    private const double Equal = 60;

    /// <summary>Intersection over union of the two clips' shapes in each frame: 1 where they cover the same pixels; 0 where only one has a shape, or they lie apart.</summary>
    public static double[] Overlap(VideoFrames clip, VideoFrames guide)
    {
        var (mine, theirs) = (ShapeTracker.Track(clip), ShapeTracker.Track(guide));
        return [.. mine.Zip(theirs, (one, other) => one is null || other is null ? 0 : Overlap(one.Covers, other.Covers))];
    }

    /// <summary>Peak signal-to-noise ratio of a frame in dB, at most 60: 20·log₁₀(255 / root mean square difference).</summary>
    public static double Psnr(VideoFrames clip, VideoFrames guide, int frame)
    {
        var one = clip[frame];
        var other = guide[frame];
        var sum = 0.0;
        for (var i = 0; i < one.Length; i++)
            sum += (one[i] - other[i]) * (one[i] - other[i]);
        return Math.Min(Equal, 10 * Math.Log10(255.0 * 255 * one.Length / sum));
    }

    private static double Overlap(bool[] one, bool[] other)
    {
        var (both, any) = (0, 0);
        for (var i = 0; i < one.Length; i++)
        {
            both += one[i] && other[i] ? 1 : 0;
            any += one[i] || other[i] ? 1 : 0;
        }
        return both / (double)any;
    }
}
