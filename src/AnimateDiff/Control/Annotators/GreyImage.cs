using AnimateDiff.Video;

namespace AnimateDiff.Control.Annotators;

/// <summary>One frame as numbers, row by row; what lies beyond an edge mirrors what lies before it.</summary>
internal sealed class GreyImage(int height, int width)
{
    public int Height => height;

    public int Width => width;

    /// <summary>H·W values, usually 0…255.</summary>
    public float[] Values { get; } = new float[height * width];

    public float this[int row, int column] => Values[Mirrored(row, height) * width + Mirrored(column, width)];

    /// <summary>The luma of a frame (Rec. 601), 0…255.</summary>
    public static GreyImage Luma(VideoFrames frames, int frame)
    {
        var image = new GreyImage(frames.Height, frames.Width);
        var pixels = frames[frame];
        for (var i = 0; i < image.Values.Length; i++)
            image.Values[i] = 0.299f * pixels[3 * i] + 0.587f * pixels[3 * i + 1] + 0.114f * pixels[3 * i + 2];
        return image;
    }

    /// <summary>One value for each pixel from its place.</summary>
    public static GreyImage Of(int height, int width, Func<int, int, float> value)
    {
        var image = new GreyImage(height, width);
        for (var row = 0; row < height; row++)
            for (var column = 0; column < width; column++)
                image.Values[row * width + column] = value(row, column);
        return image;
    }

    /// <summary>Blurred by a Gaussian that is cut off at three deviations.</summary>
    /// <param name="sigma">Its deviation in pixels.</param>
    public GreyImage Blur(double sigma)
    {
        var radius = (int)Math.Ceiling(3 * sigma);
        double[] bell = [.. Enumerable.Range(-radius, 2 * radius + 1).Select(x => Math.Exp(-x * x / (2 * sigma * sigma)))];
        float[] weights = [.. bell.Select(weight => (float)(weight / bell.Sum()))];
        var rows = Of(height, width, (row, column) => Sum(i => this[row, column + i]));
        return Of(height, width, (row, column) => Sum(i => rows[row + i, column]));

        float Sum(Func<int, float> at)
        {
            var sum = 0f;
            for (var i = -radius; i <= radius; i++)
                sum += weights[i + radius] * at(i);
            return sum;
        }
    }

    /// <summary>How fast the values grow to the right and downwards, by Sobel's 3×3 kernels: eight times the slope.</summary>
    public (GreyImage Right, GreyImage Down) Sobel() =>
    (
        Of(height, width, (y, x) => this[y - 1, x + 1] - this[y - 1, x - 1] + 2 * (this[y, x + 1] - this[y, x - 1]) + this[y + 1, x + 1] - this[y + 1, x - 1]),
        Of(height, width, (y, x) => this[y + 1, x - 1] - this[y - 1, x - 1] + 2 * (this[y + 1, x] - this[y - 1, x]) + this[y + 1, x + 1] - this[y - 1, x + 1])
    );

    /// <summary>As a grey frame, [H, W, RGB]; values are rounded to 0…255.</summary>
    public byte[] ToPixels()
    {
        var pixels = new byte[Values.Length * 3];
        foreach (var (at, value) in Values.Index())
            pixels.AsSpan(3 * at, 3).Fill((byte)Math.Clamp(MathF.Round(value), 0, 255));
        return pixels;
    }

    private static int Mirrored(int at, int size)
    {
        if (size == 1)
            return 0;
        while (at < 0 || at >= size)
            at = at < 0 ? -at : 2 * (size - 1) - at;
        return at;
    }
}
