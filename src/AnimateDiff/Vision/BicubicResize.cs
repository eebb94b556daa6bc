namespace AnimateDiff.Vision;

/// <summary>
/// Bicubic resizing of 8-bit pictures as Pillow does it, with which CLIP's preprocessing was defined: the cubic kernel (a = −½) is widened when shrinking, so
/// that every pixel counts; columns first, then rows, each rounded to 8 bits, with weights of 22 bits after the point.
/// </summary>
internal static class BicubicResize
{
    private const int WeightBits = 22;
    private const double KernelRadius = 2;

    /// <summary>Resizes <c>[H, W, RGB]</c> bytes.</summary>
    public static byte[] Resize(ReadOnlySpan<byte> pixels, int width, int height, int toWidth, int toHeight)
    {
        var columns = toWidth == width ? pixels.ToArray() : Along(pixels, width, toWidth, height, step: 3, lineStep: width * 3, toLineStep: toWidth * 3);
        return toHeight == height ? columns : Along(columns, height, toHeight, toWidth, step: toWidth * 3, lineStep: 3, toLineStep: 3);
    }

    /// <summary>Resizes every line of pixels: a line's pixels are <paramref name="step"/> bytes apart, lines <paramref name="lineStep"/>.</summary>
    private static byte[] Along(ReadOnlySpan<byte> pixels, int size, int toSize, int lines, int step, int lineStep, int toLineStep)
    {
        var result = new byte[toSize * lines * 3];
        for (var to = 0; to < toSize; to++)
        {
            var (first, weights) = Weights(to, size, toSize);
            for (var line = 0; line < lines; line++)
                for (var channel = 0; channel < 3; channel++)
                {
                    var sum = 1L << (WeightBits - 1);
                    for (var i = 0; i < weights.Length; i++)
                        sum += (long)weights[i] * pixels[line * lineStep + (first + i) * step + channel];
                    result[line * toLineStep + to * step + channel] = (byte)Math.Clamp(sum >> WeightBits, 0, 255);
                }
        }
        return result;
    }

    /// <summary>Which pixels make pixel <paramref name="to"/>, and their weights, which sum to 1.</summary>
    private static (int First, int[] Weights) Weights(int to, int size, int toSize)
    {
        var scale = (double)size / toSize;
        var filter = Math.Max(scale, 1);
        var radius = KernelRadius * filter;
        var centre = (to + 0.5) * scale;
        var first = Math.Max((int)(centre - radius + 0.5), 0);
        var end = Math.Min((int)(centre + radius + 0.5), size);
        double[] weights = [.. Enumerable.Range(first, end - first).Select(pixel => Cubic((pixel - centre + 0.5) / filter))];
        var sum = weights.Sum();
        return (first, [.. weights.Select(weight => (int)Math.Round(weight / sum * (1 << WeightBits), MidpointRounding.AwayFromZero))]);
    }

    private static double Cubic(double x)
    {
        const double a = -0.5;
        x = Math.Abs(x);
        return x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1
            : x < 2 ? (((x - 5) * x + 8) * x - 4) * a
            : 0;
    }
}
