using System.Numerics;
using AnimateDiff.Video;

namespace AnimateDiff.Toybox.Measure;

/// <summary>Which colour of the world the shape of a clip has.</summary>
internal static class ShapeColour
{
    private const float LeastStrength = 0.15f, Clipped = 1e-3f;                                            // a clipped pixel has lost its hue: it counts where there are no others

    /// <summary>Share of the frames whose shape has a colour, 0…1; a frame without a shape has none.</summary>
    public static double Share(VideoFrames clip, ToyColour asked) =>
        ShapeTracker.Track(clip).Select((shape, frame) => shape is not null && Of(clip, frame, shape) == asked ? 1.0 : 0).Average();

    /// <summary>The colour of the nearest hue to that of the half of a shape's pixels that stand out most. Hues are the same in both looks; neon is brighter, and paler.</summary>
    private static ToyColour Of(VideoFrames clip, int frame, TrackedShape shape)
    {
        var pixels = clip[frame];
        var sum = Vector3.Zero;
        var inside = Enumerable.Range(0, shape.Covers.Length).Where(i => shape.Covers[i]).OrderByDescending(i => shape.Contrast.Values[i]).Take((shape.Covers.Count(own => own) + 1) / 2);
        foreach (var i in inside)
        {
            var colour = new Vector3(pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]);
            sum += colour * (Math.Max(colour.X, Math.Max(colour.Y, colour.Z)) == 255 ? Clipped : 1);
        }
        var (hue, strength) = Hue(sum);
        return strength < LeastStrength ? ToyColour.White : Enum.GetValues<ToyColour>().Where(colour => colour != ToyColour.White)
            .MinBy(colour => Vector2.Distance(hue, Hue(ToyPalette.Of(colour)).Direction));
    }

    /// <summary>Where on the circle of hues a colour is, and how far it is from grey, 0…1.</summary>
    private static (Vector2 Direction, float Strength) Hue(Vector3 colour)
    {
        var (x, y) = (colour.X - (colour.Y + colour.Z) / 2, MathF.Sqrt(3) / 2 * (colour.Y - colour.Z));
        var most = Math.Max(Math.Max(colour.X, Math.Max(colour.Y, colour.Z)), 1);
        var length = MathF.Sqrt(x * x + y * y);
        return (new Vector2(x, y) / Math.Max(length, 1e-6f), length / most);
    }
}
