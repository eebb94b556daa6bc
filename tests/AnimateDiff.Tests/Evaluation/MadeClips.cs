using AnimateDiff.Video;

namespace AnimateDiff.Tests.Evaluation;

/// <summary>Clips made of formulas, so that what is in them is known.</summary>
internal static class MadeClips
{
    /// <summary>A picture without end, 0…1: waves of lengths from 9 to 40 in all directions.</summary>
    public static double Texture(double x, double y) =>
        0.5 + Enumerable.Range(0, 12).Sum(wave => Math.Sin(2 * Math.PI * (x * Math.Cos(2.4 * wave) + y * Math.Sin(2.4 * wave)) / (9 + 2.8 * wave) + wave * wave)) / 24;

    /// <summary>Frames of brightnesses 0…1 at (frame, x, y).</summary>
    public static VideoFrames Of(int frames, int width, int height, Func<int, int, int, double> brightness)
    {
        var pixels = new byte[frames * height * width * 3];
        for (var frame = 0; frame < frames; frame++)
            for (var y = 0; y < height; y++)
                for (var x = 0; x < width; x++)
                    pixels.AsSpan(((frame * height + y) * width + x) * 3, 3).Fill((byte)Math.Round(Math.Clamp(255 * brightness(frame, x, y), 0, 255)));
        return new VideoFrames(frames, height, width, pixels);
    }

    /// <summary>The texture moving by (right, down) pixels a frame and growing by a factor each frame around the middle.</summary>
    public static VideoFrames Moving(int frames, int width, int height, double right, double down, double growth = 1) => Of(frames, width, height, (frame, x, y) =>
    {
        var scale = Math.Pow(growth, -frame);
        return Texture((x - width / 2.0) * scale - frame * right, (y - height / 2.0) * scale - frame * down);
    });

    /// <summary>The texture going round a circle and back to its beginning after <paramref name="round"/> frames.</summary>
    public static VideoFrames Circle(int frames, int round) => Of(frames, 48, 48, (frame, x, y) =>
        Texture(x - 8 * Math.Cos(2 * Math.PI * frame / round), y - 8 * Math.Sin(2 * Math.PI * frame / round)));
}
