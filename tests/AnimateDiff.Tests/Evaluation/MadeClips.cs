using AnimateDiff.Video;

namespace AnimateDiff.Tests.Evaluation;

/// <summary>Clips made of formulas, so that what is in them is known.</summary>
internal static class MadeClips
{
    /// <summary>A picture without end, about 0…1, of details and of larger parts, as pictures have: smooth noise on grids of 3, 6, 12 and 24 pixels.</summary>
    public static double Texture(double x, double y) => 0.5 + 0.2 * (Noise(x / 3, y / 3) + 1.4 * Noise(x / 6, y / 6) + 2 * Noise(x / 12, y / 12) + 2.8 * Noise(x / 24, y / 24));

    /// <summary>−½…½ at the points of a grid, smooth between them.</summary>
    private static double Noise(double x, double y)
    {
        var (left, top) = ((int)Math.Floor(x), (int)Math.Floor(y));
        var (right, down) = (Smooth(x - left), Smooth(y - top));
        return Between(Between(At(left, top), At(left + 1, top), right), Between(At(left, top + 1), At(left + 1, top + 1), right), down);

        static double Smooth(double t) => t * t * (3 - 2 * t);
        static double Between(double one, double other, double share) => one + (other - one) * share;
        static double At(int column, int row)
        {
            var hash = unchecked((uint)column * 0x9E3779B1u ^ (uint)row * 0x85EBCA77u);
            hash = unchecked((hash ^ hash >> 15) * 0x2C1B3C6Du);
            hash = unchecked((hash ^ hash >> 12) * 0x297A2D39u);
            return (hash ^ hash >> 15) / 4294967296.0 - 0.5;
        }
    }

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

    /// <summary>Points that go up and down, each at another time, and are as in the beginning after <paramref name="round"/> frames: every step is as large as any other.</summary>
    public static VideoFrames Round(int frames, int round) => Of(frames, 32, 32, (frame, x, y) => 0.5 + 0.45 * Math.Cos(2 * Math.PI * (frame / (double)round + (x + 32 * y) / 1024.0)));
}
