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
        var (vertical, horizontal) = (pictures.shape[2] / (double)height, pictures.shape[3] / (double)width);
        return Apply(pictures, Weights(pictures.shape[2], height, vertical, vertical / 2 - 0.5), Weights(pictures.shape[3], width, horizontal, horizontal / 2 - 0.5))
            .MoveToOuterDisposeScope();
    }

    /// <summary>Pictures with a row between any two rows and a column between any two columns, [N, C, 2H − 1, 2W − 1]; the old ones stay as they are.</summary>
    /// <param name="pictures">[N, C, H, W]</param>
    public static Tensor Between(Tensor pictures)
    {
        using var scope = NewDisposeScope();
        var (h, w) = (pictures.shape[2], pictures.shape[3]);
        return Apply(pictures, Weights(h, 2 * h - 1, 0.5, 0), Weights(w, 2 * w - 1, 0.5, 0)).MoveToOuterDisposeScope();
    }

    private static Tensor Apply(Tensor pictures, Tensor rows, Tensor columns)
    {
        var input = pictures.to(ScalarType.Float32);
        return rows.to(input.device).matmul(input.matmul(columns.to(input.device).t()));
    }

    // What every old pixel of a line gives to every new one, [to, from], the n-th of which lies at n·scale + offset; beyond the line its last pixels go on.
    private static Tensor Weights(long from, long to, double scale, double offset)
    {
        var weights = new float[to * from];
        var width = Math.Max(scale, 1);
        for (long pixel = 0; pixel < to; pixel++)
        {
            var centre = pixel * scale + offset;
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
