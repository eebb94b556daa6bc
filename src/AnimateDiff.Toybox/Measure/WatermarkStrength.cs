using AnimateDiff.Evaluation;
using AnimateDiff.Video;

namespace AnimateDiff.Toybox.Measure;

/// <summary>How strongly the mark of the video set is in a clip.</summary>
internal static class WatermarkStrength
{
    private const int Corner = 36;                                                                                      // 1/64 of the side: the corner looked at

    /// <summary>1 = as in the video set, 0 = none: see <see cref="MarkStrength"/>.</summary>
    /// <exception cref="ArgumentException">The frames are not square.</exception>
    public static double Of(VideoFrames clip) => clip.Height == clip.Width ? MarkStrength.Of(clip, MarkFor(clip.Width))
        : throw new ArgumentException($"The mark is known on square pictures only, not {clip.Width}×{clip.Height}.", nameof(clip));

    /// <summary>White letters with a black edge.</summary>
    private static Mark MarkFor(int size)
    {
        var unit = size / ToyScene.Side;
        var from = (int)(Corner * unit);
        var (letters, edge) = (Crop(Watermark.Mask(size), size, from), Crop(Watermark.Edge(size), size, from));
        var white = letters.With(edge, (letter, _) => 255 * letter);
        return new Mark(from, from, unit, letters.With(edge, (letter, rim) => letter * Watermark.Alpha + rim * Watermark.EdgeAlpha), [white, white, white]);
    }

    private static Plane Crop(float[] values, int size, int from)
    {
        var part = new Plane(size - from, size - from);
        for (var y = from; y < size; y++)
            values.AsSpan(y * size + from, size - from).CopyTo(part.Values.AsSpan((y - from) * part.Width));
        return part;
    }
}
