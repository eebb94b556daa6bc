using AnimateDiff.Video;

namespace AnimateDiff.Evaluation;

/// <summary>One number for every pixel of a picture, row by row.</summary>
internal sealed class Plane(int width, int height)
{
    public int Width => width;

    public int Height => height;

    public float[] Values { get; } = new float[width * height];

    public float this[int x, int y]
    {
        get => Values[y * width + x];
        set => Values[y * width + x] = value;
    }

    /// <summary>Brightness (Rec. 601 luma, 0…255) of a frame.</summary>
    public static Plane Luma(VideoFrames clip, int frame)
    {
        var plane = new Plane(clip.Width, clip.Height);
        var pixels = clip[frame];
        for (var i = 0; i < plane.Values.Length; i++)
            plane.Values[i] = 0.299f * pixels[i * 3] + 0.587f * pixels[i * 3 + 1] + 0.114f * pixels[i * 3 + 2];
        return plane;
    }

    /// <summary>Made smaller by a whole number: each value is the mean of <paramref name="factor"/>² pixels; pixels left over at the right and below are dropped.</summary>
    public Plane Reduce(int factor)
    {
        if (factor == 1)
            return this;
        var result = new Plane(width / factor, height / factor);
        for (var y = 0; y < result.Height; y++)
            for (var x = 0; x < result.Width; x++)
            {
                var sum = 0f;
                for (var row = 0; row < factor; row++)
                    for (var column = 0; column < factor; column++)
                        sum += this[x * factor + column, y * factor + row];
                result[x, y] = sum / (factor * factor);
            }
        return result;
    }

    /// <summary>A number for every pixel from this one and another of the same size.</summary>
    public Plane With(Plane other, Func<float, float, float> function)
    {
        var result = new Plane(width, height);
        for (var i = 0; i < Values.Length; i++)
            result.Values[i] = function(Values[i], other.Values[i]);
        return result;
    }

    /// <summary>Value between pixels, bilinear; the border's beyond it.</summary>
    public float Sample(double x, double y)
    {
        (x, y) = (Math.Clamp(x, 0, width - 1.001), Math.Clamp(y, 0, height - 1.001));
        var (left, top) = ((int)x, (int)y);
        var (right, below) = ((float)(x - left), (float)(y - top));
        var at = top * width + left;
        return (Values[at] * (1 - right) + Values[at + 1] * right) * (1 - below) + (Values[at + width] * (1 - right) + Values[at + width + 1] * right) * below;
    }

    /// <summary>Smoothed by a Gaussian; its weights outside the picture go to the pixels inside.</summary>
    /// <param name="sigma">Its standard deviation in pixels.</param>
    public Plane Blur(double sigma)
    {
        var reach = (int)Math.Ceiling(3 * sigma);
        var weights = Enumerable.Range(-reach, 2 * reach + 1).Select(i => (float)Math.Exp(-i * i / (2 * sigma * sigma))).ToArray();
        var (across, result) = (new Plane(width, height), new Plane(width, height));
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                across[x, y] = Average(this, y * width, 1, x, width);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                result[x, y] = Average(across, x, width, y, height);
        return result;

        float Average(Plane from, int start, int step, int at, int length)
        {
            var (sum, total) = (0f, 0f);
            for (var i = Math.Max(0, at - reach); i <= Math.Min(length - 1, at + reach); i++)
            {
                sum += weights[i - at + reach] * from.Values[start + i * step];
                total += weights[i - at + reach];
            }
            return sum / total;
        }
    }
}
