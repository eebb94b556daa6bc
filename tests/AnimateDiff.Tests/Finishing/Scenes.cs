using AnimateDiff.Video;

namespace AnimateDiff.Tests.Finishing;

/// <summary>Clips of which every moment is known.</summary>
internal static class Scenes
{
    /// <summary>Colour in 0…1 of a place at a time.</summary>
    public delegate (double R, double G, double B) Scene(double x, double y, double time);

    /// <summary>A texture that slides across the picture.</summary>
    public static Scene Pan(double dx, double dy) => (x, y, time) => Texture(x - dx * time, y - dy * time);

    /// <summary>A texture that grows around the middle of a picture.</summary>
    public static Scene Zoom(double size, double rate) => (x, y, time) =>
    {
        var scale = Math.Pow(rate, time);
        return Texture((x - size / 2) / scale + size / 2, (y - size / 2) / scale + size / 2);
    };

    /// <summary>A disc with a texture of its own, or of one colour, in front of a background that stands still.</summary>
    public static Scene Disc(double dx, double dy, double radius, bool isPlain = false) => (x, y, time) =>
    {
        var (cx, cy) = (20 + dx * time, 28 + dy * time);
        var cover = Math.Clamp(radius - Math.Sqrt((x - cx) * (x - cx) + (y - cy) * (y - cy)) + 0.5, 0, 1);
        var (front, back) = isPlain ? ((0.9, 0.15, 0.1), (0.85, 0.85, 0.9)) : (Texture(2 * (y - cy) + 31, 2 * (x - cx)), Texture(x, y));
        double Mix(double a, double b) => a * cover + b * (1 - cover);
        return (Mix(front.Item1, back.Item1), Mix(front.Item2, back.Item2), Mix(front.Item3, back.Item3));
    };

    /// <summary>Frames of a scene at some times.</summary>
    public static VideoFrames Render(Scene scene, int size, params double[] times)
    {
        var pixels = new List<byte>();
        foreach (var time in times)
            for (var y = 0; y < size; y++)
                for (var x = 0; x < size; x++)
                {
                    var (r, g, b) = scene(x, y, time);
                    foreach (var value in new[] { r, g, b })
                        pixels.Add((byte)Math.Round(255 * Math.Clamp(value, 0, 1)));
                }
        return new VideoFrames(times.Length, size, size, [.. pixels]);
    }

    /// <summary>Peak signal-to-noise ratio in dB.</summary>
    public static double Psnr(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++)
            sum += (a[i] - b[i]) * (double)(a[i] - b[i]);
        return sum == 0 ? double.PositiveInfinity : 10 * Math.Log10(255.0 * 255 * a.Length / sum);
    }

    /// <summary>The frame between two neighbours that shows both at once.</summary>
    public static byte[] Fade(VideoFrames frames, int first, double time) =>
        [.. Enumerable.Range(0, frames[0].Length).Select(i => (byte)Math.Round(frames[first][i] * (1 - time) + frames[first + 1][i] * time))];

    // Like pictures of nature: waves of all lengths, the longer the stronger, none a multiple of another.
    private static (double, double, double) Texture(double x, double y)
    {
        double Waves(double phase) => 0.5
            + 0.20 * Math.Sin(0.071 * x + 0.093 * y + phase) + 0.14 * Math.Sin(0.19 * x - 0.13 * y + 2.3 * phase)
            + 0.09 * Math.Sin(0.31 * y + 0.27 * x + 3.1 * phase) + 0.06 * Math.Sin(0.59 * x - 0.47 * y + 4.7 * phase) + 0.04 * Math.Sin(0.83 * y + 0.97 * x + 5.3 * phase);
        return (Waves(0.4), Waves(1.7), Waves(2.9));
    }
}
