namespace AnimateDiff.Finishing;

/// <summary>Resizing with Lanczos' kernel of three lobes, which is widened when shrinking so that every pixel counts.</summary>
internal static class Lanczos
{
    private const int Lobes = 3;

    /// <summary>Pictures at another size, [N, C, height, width] in fp32; sharp edges overshoot a little.</summary>
    /// <param name="pictures">[N, C, H, W]</param>
    /// <param name="height">In pixels.</param>
    /// <param name="width">In pixels.</param>
    public static Tensor Resize(Tensor pictures, long height, long width)
    {
        using var scope = NewDisposeScope();
        var (rows, columns) = (Weights(pictures.shape[2], height), Weights(pictures.shape[3], width));
        var input = pictures.to(ScalarType.Float32);
        return rows.to(input.device).matmul(input.matmul(columns.to(input.device).t())).MoveToOuterDisposeScope();
    }

    // What every old pixel of a line gives to every new one, [to, from]; beyond the line its last pixels go on.
    private static Tensor Weights(long from, long to)
    {
        var (scale, weights) = (from / (double)to, new float[to * from]);
        var width = Math.Max(scale, 1);
        for (long pixel = 0; pixel < to; pixel++)
        {
            var centre = (pixel + 0.5) * scale - 0.5;
            var (first, last) = ((long)Math.Ceiling(centre - Lobes * width), (long)Math.Floor(centre + Lobes * width));
            var values = new double[last - first + 1];
            for (var i = 0; i < values.Length; i++)
                values[i] = Kernel((first + i - centre) / width);
            for (var i = 0; i < values.Length; i++)
                weights[pixel * from + Math.Clamp(first + i, 0, from - 1)] += (float)(values[i] / values.Sum());
        }
        return tensor(weights, [to, from]);
    }

    private static double Kernel(double x) => x == 0 ? 1 : Math.Abs(x) >= Lobes ? 0 : Lobes * Math.Sin(Math.PI * x) * Math.Sin(Math.PI * x / Lobes) / (Math.PI * Math.PI * x * x);
}
