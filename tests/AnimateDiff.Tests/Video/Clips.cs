using AnimateDiff.Video;

namespace AnimateDiff.Tests.Video;

internal static class Clips
{
    /// <summary>About 10 kB of JSON with everything that containers, XML, ffmpeg's metadata files and command lines give a meaning to.</summary>
    public static readonly string NastyRecipe =
        "{\r\n\t\"prompt\": \"\\\"quoted\\\" 'single' a=b;c#d \\\\ back\\\\slash %d %s $HOME `x` <b>&amp;</b> ]]> ümlaut 猫 🎬\\n\\u0000\\u001f \u2028 \uFFFE \u007F\",\n\n"
        + "  \"loras\": [" + string.Join(",\n", Enumerable.Range(0, 300).Select(i => $"{{\"name\": \"lora = {i}; #1\", \"scale\": 0.{i}}}")) + "],\r"
        + "\";comment\": \"=\", \"#\": \"[CHAPTER]\\n\"\n}\n  ";

    /// <summary>A colourful gradient that drifts and a disc that moves across it, the hard case for palettes and subsampled colours.</summary>
    public static VideoFrames Moving(int frames, int width, int height) => Make(frames, width, height, (f, x, y) =>
    {
        var (u, v, t) = (x / (double)width, y / (double)height, f / 16.0);
        var distance = Math.Sqrt(Math.Pow(x - width * (0.2 + 0.6 * f / Math.Max(1, frames)), 2) + Math.Pow(y - height * 0.5, 2)) / height;
        return distance < 0.18
            ? (240 - 300 * distance, 60 + 200 * distance, 30)
            : (128 + 120 * Math.Sin(6.28 * (u + t)), 255 * v, 128 + 120 * Math.Cos(6.28 * (u * 0.5 + v * 0.7 - t)));
    });

    /// <summary>Sixteen flat colours per frame, among them black, white, greys and saturated ones; they shift from frame to frame.</summary>
    public static VideoFrames Flat(int frames, int width, int height) => Make(frames, width, height, (f, x, y) =>
    {
        var colour = (x * 4 / width + y * 4 / height * 4 + f) % 16;
        return colour < 8 ? ((colour & 1) * 255, (colour >> 1 & 1) * 255, (colour >> 2) * 255) : (colour * 16, (15 - colour) * 31, 100 + colour);
    });

    /// <summary>Pixels without any order, so that nothing but an exact copy passes.</summary>
    public static VideoFrames Noise(int frames, int width, int height)
    {
        var pixels = new byte[frames * height * width * 3];
        new Random(1).NextBytes(pixels);
        return new VideoFrames(frames, height, width, pixels);
    }

    public static double Psnr(VideoFrames expected, VideoFrames actual)
    {
        Assert.Equal((expected.Frames, expected.Width, expected.Height), (actual.Frames, actual.Width, actual.Height));
        var a = expected.Pixels.Span;
        var b = actual.Pixels.Span;
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++)
            sum += (a[i] - b[i]) * (a[i] - b[i]);
        return 10 * Math.Log10(255.0 * 255.0 * a.Length / sum);
    }

    private static VideoFrames Make(int frames, int width, int height, Func<int, int, int, (double R, double G, double B)> colour)
    {
        var pixels = new byte[frames * height * width * 3];
        var at = 0;
        for (var f = 0; f < frames; f++)
            for (var y = 0; y < height; y++)
                for (var x = 0; x < width; x++)
                {
                    var (r, g, b) = colour(f, x, y);
                    (pixels[at++], pixels[at++], pixels[at++]) = (Byte(r), Byte(g), Byte(b));
                }
        return new VideoFrames(frames, height, width, pixels);

        static byte Byte(double value) => (byte)Math.Clamp(value, 0, 255);
    }
}
