using AnimateDiff.Video;

namespace AnimateDiff.Toybox.Measure;

/// <summary>How much a clip looks like the neon set.</summary>
/// <param name="Dark">Share of nearly black pixels, 0…1.</param>
/// <param name="Hollow">How much weaker the middle of the shape stands out than its brightest parts, 0…1.</param>
internal sealed record NeonLook(double Dark, double Hollow)
{
    /// <summary>One number: about 0 for the normal look, about 0.8 for neon.</summary>
    public double Score => 0.7 * Dark + 0.3 * Hollow;

    /// <summary>Measures a clip or a single picture.</summary>
    public static NeonLook Of(VideoFrames clip)
    {
        var dark = 0.0;
        for (var frame = 0; frame < clip.Frames; frame++)
        {
            var pixels = clip[frame];
            for (var i = 0; i < pixels.Length; i += 3)
                dark += Math.Clamp((40 - Math.Max(pixels[i], Math.Max(pixels[i + 1], pixels[i + 2]))) / 16.0, 0, 1);     // 16 in neon, 40 and more at night
        }
        var shapes = ShapeTracker.Track(clip).OfType<TrackedShape>().Select(Hollowness).ToArray();
        return new NeonLook(dark / ((long)clip.Frames * clip.Width * clip.Height), shapes.Length > 0 ? shapes.Average() : 0);
    }

    private static double Hollowness(TrackedShape shape)
    {
        var unit = shape.Contrast.Width / ToyScene.Side;
        var (middle, bright) = (Ring(0.25), Ring(0.6).Concat(Ring(0.85)).Concat(Ring(1.1)).OrderDescending().Take(12));
        return Math.Clamp(1 - middle.Average() / Math.Max(bright.Average(), 1), 0, 1);

        IEnumerable<float> Ring(double radius) => Enumerable.Range(0, 24).Select(i => Math.SinCos(2 * Math.PI * i / 24)).Select(angle =>
            shape.Contrast.Sample((shape.X + angle.Cos * radius * shape.Spread) * unit - 0.5, (shape.Y + angle.Sin * radius * shape.Spread) * unit - 0.5));
    }
}
