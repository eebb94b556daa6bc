using System.Numerics;
using AnimateDiff.Video;

namespace AnimateDiff.Toybox;

/// <summary>How the world is drawn.</summary>
internal enum ToyLook
{
    /// <summary>Filled shapes before soft backgrounds.</summary>
    Normal,

    /// <summary>Glowing outlines in the dark: the personal style.</summary>
    Neon,
}

/// <summary>
/// Draws scenes, anti-aliased and without any random number. A movement shows in a single picture as in a photograph with a rear-curtain flash: behind the
/// shape are three fading after-images of where it was.
/// </summary>
internal static class ToyRenderer
{
    /// <summary>Frames of a clip.</summary>
    public const int ClipFrames = 16;

    /// <summary>Side of a picture in pixels.</summary>
    public const int Size = 64;

    private const float Outline = 1.3f, Darker = 0.55f, SpotRadius = 0.2f;

    // Nothing is seen of a shape further from its centre than its furthest corner, in radii, and its glow, in 1/64.
    private const float Corner = 1.25f, Glow = 20;

    private static readonly float[] TrailAlpha = [1, 0.45f, 0.25f, 0.12f];
    private static readonly float[] InnerAlpha = [0, 0.8f, 0.6f, 0.4f];

    /// <summary>A whole clip: frames at the times 0, 1/15 … 1.</summary>
    public static VideoFrames Clip(ToyScene scene, ToyLook look = ToyLook.Normal, bool watermark = false, int size = Size, int frames = ClipFrames) =>
        new(frames, size, size, [.. Enumerable.Range(0, frames).SelectMany(frame => Frame(scene, frames == 1 ? 0 : frame / (frames - 1.0), look, size, watermark))]);

    /// <summary>One picture.</summary>
    /// <param name="scene">The scene.</param>
    /// <param name="time">0…1.</param>
    /// <param name="look">How it is drawn.</param>
    /// <param name="size">Side in pixels.</param>
    /// <param name="watermark">Whether the mark is on it.</param>
    /// <returns>8-bit sRGB, <c>[size, size, RGB]</c>.</returns>
    public static byte[] Frame(ToyScene scene, double time, ToyLook look = ToyLook.Normal, int size = Size, bool watermark = false)
    {
        var picture = new Vector3[size * size];
        var unit = size / (float)ToyScene.Side;                                                                         // pixels per 1/64
        var poses = Enumerable.Range(0, TrailAlpha.Length).Select(back => scene.PoseAt(time, back)).ToArray();
        for (var y = 0; y < size; y++)
            for (var x = 0; x < size; x++)
            {
                var place = new Vector2(x + 0.5f, y + 0.5f) / unit;
                picture[y * size + x] = look == ToyLook.Neon ? Neon(scene, poses, place, unit) : Normal(scene, poses, place, unit);
            }
        if (watermark)
            Mark(picture, size);
        var bytes = new byte[picture.Length * 3];
        for (var i = 0; i < picture.Length; i++)
            for (var channel = 0; channel < 3; channel++)
                bytes[i * 3 + channel] = (byte)Math.Clamp(MathF.Round(picture[i][channel]), 0, 255);
        return bytes;
    }

    private static Vector3 Normal(ToyScene scene, ToyPose[] poses, Vector2 place, float unit)
    {
        var down = place.Y / (float)ToyScene.Side;
        var colour = ToyPalette.Of(scene.Colour);
        var result = ToyPalette.Of(scene.Background, down, Cover((ToyPalette.HorizonAt - down) * (float)ToyScene.Side, unit));
        if (scene.Movement == ToyMovement.Bounce)
            result = Vector3.Lerp(result, result * 0.6f, Cover(Shadow(scene, poses[0], place), unit));
        for (var back = Moves(scene) ? poses.Length - 1 : 0; back >= 0; back--)
        {
            var (distance, spot) = Measure(scene.Shape, poses[back], place);
            var alpha = TrailAlpha[back];
            result = Vector3.Lerp(result, colour * Darker, alpha * Cover(distance, unit));
            result = Vector3.Lerp(result, colour, alpha * Cover(distance + Outline, unit));
            if (back == 0)
                result = Vector3.Lerp(result, SpotColour(scene.Colour), Cover(spot, unit));
        }
        if (scene.Movement is ToyMovement.Grow or ToyMovement.Spin)                                                     // what was is within what is
            for (var back = poses.Length - 1; back > 0; back--)
            {
                var (distance, spot) = Measure(scene.Shape, poses[back], place);
                result = scene.Movement == ToyMovement.Spin
                    ? Vector3.Lerp(result, SpotColour(scene.Colour), 1.4f * TrailAlpha[back] * Cover(spot, unit))
                    : Vector3.Lerp(result, colour * Darker, InnerAlpha[back] * Cover(MathF.Abs(distance + 0.5f) - 0.5f, unit));
            }
        return result;
    }

    private static Vector3 Neon(ToyScene scene, ToyPose[] poses, Vector2 place, float unit)
    {
        var colour = ToyPalette.Of(scene.Colour);
        var line = MathF.Abs(place.Y - ToyPalette.HorizonAt * (float)ToyScene.Side) - 0.5f;
        var result = Vector3.Lerp(ToyPalette.Dark, ToyPalette.Horizon, Cover(line, unit));
        if (scene.Movement == ToyMovement.Bounce)
            result += colour * 0.25f * Cover(Shadow(scene, poses[0], place), unit);
        var within = scene.Movement is ToyMovement.Grow or ToyMovement.Spin;
        for (var back = Moves(scene) ? poses.Length - 1 : 0; back >= 0; back--)
        {
            var (distance, spot) = Measure(scene.Shape, poses[back], place);
            if (back == 0 && !within)
                result = Vector3.Lerp(result, ToyPalette.Dark, Cover(distance, unit));                                  // hollow: hides what is behind
            var tube = Cover(MathF.Abs(distance) - 0.8f, unit);
            var glow = 0.55f * MathF.Exp(-MathF.Abs(distance) / 1.6f);
            result += TrailAlpha[back] * (colour * glow + Vector3.Lerp(colour, ToyPalette.White, 0.3f) * tube);
            if (back == 0 || scene.Movement == ToyMovement.Spin)
                result += TrailAlpha[back] * Vector3.Lerp(colour, ToyPalette.White, 0.3f) * Cover(spot, unit);
        }
        return result;
    }

    private static bool Moves(ToyScene scene) => scene.Movement != ToyMovement.Still;

    /// <summary>Signed distances from the outline and from the light spot, in 1/64.</summary>
    private static (float Outline, float Spot) Measure(ToyShape shape, ToyPose pose, Vector2 place)
    {
        var radius = (float)pose.Radius;
        var way = place - new Vector2((float)pose.X, (float)pose.Y);
        var far = Corner * radius + Glow;
        if (way.LengthSquared() > far * far)
            return (float.PositiveInfinity, float.PositiveInfinity);
        var point = Vector2.Transform(way, Matrix3x2.CreateRotation(-(float)pose.Angle * MathF.PI / 180)) / radius;
        return (ToyShapes.Distance(shape, point) * radius, ((point - ToyShapes.Spot(shape)).Length() - SpotRadius) * radius);
    }

    /// <summary>Distance from the shadow on the ground, which tells a bounce from a way up or down.</summary>
    private static float Shadow(ToyScene scene, ToyPose pose, Vector2 place)
    {
        var high = (float)((scene.Y - pose.Y) / scene.Distance);
        var flat = new Vector2(place.X - (float)scene.X, (place.Y - (float)(scene.Y + scene.Radius)) * 4);
        return (flat.Length() - (float)scene.Radius * (1 - 0.45f * high)) / 4;
    }

    private static Vector3 SpotColour(ToyColour colour) =>
        colour == ToyColour.White ? new(150, 160, 180) : Vector3.Lerp(ToyPalette.Of(colour), ToyPalette.White, 0.75f);

    /// <summary>How much of a pixel is covered by what begins at a signed distance from its centre.</summary>
    private static float Cover(float distance, float unit) => Math.Clamp(0.5f - distance * unit, 0, 1);

    private static void Mark(Vector3[] picture, int size)
    {
        var (letters, edge) = (Watermark.Mask(size), Watermark.Edge(size));
        for (var i = 0; i < picture.Length; i++)
        {
            picture[i] = Vector3.Lerp(Vector3.Clamp(picture[i], Vector3.Zero, ToyPalette.White), ToyPalette.White, Watermark.Alpha * letters[i]);
            picture[i] *= 1 - Watermark.EdgeAlpha * edge[i];
        }
    }
}
