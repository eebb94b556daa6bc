namespace AnimateDiff.Toybox.Measure;

/// <summary>How far a shape turns: its pictures in polar coordinates are shifted against each other until they fit best.</summary>
internal static class Turning
{
    private const int Angles = 120, Reach = 12;                                                                         // steps of 3 degrees, up to 36 from frame to frame
    private static readonly double[] Radii = [0.35, 0.6, 0.85, 1.1, 1.35];                                              // in spreads of the shape

    /// <summary>Degrees clockwise from the first frame to the last.</summary>
    public static double Degrees(IReadOnlyList<TrackedShape?> shapes)
    {
        var rings = shapes.Where(shape => shape is { Spread: > 0 }).Select(shape => Rings(shape!)).ToArray();
        return rings.Zip(rings.Skip(1), Between).Sum();
    }

    /// <summary>Contrast around the centre, <c>[radii, angles]</c>, each ring without its mean: what is round all over does not count.</summary>
    private static double[][] Rings(TrackedShape shape)
    {
        var unit = shape.Contrast.Width / ToyScene.Side;
        return [.. Radii.Select(radius =>
        {
            var ring = Enumerable.Range(0, Angles).Select(angle =>
            {
                var (sin, cos) = Math.SinCos(2 * Math.PI * angle / Angles);
                var reach = radius * shape.Spread;
                return (double)shape.Contrast.Sample((shape.X + cos * reach) * unit - 0.5, (shape.Y + sin * reach) * unit - 0.5);
            }).ToArray();
            var mean = ring.Average();
            return ring.Select(value => value - mean).ToArray();
        })];
    }

    private static double Between(double[][] before, double[][] after)
    {
        var fits = Enumerable.Range(-Reach, 2 * Reach + 1).Select(shift => Fit(before, after, shift)).ToArray();
        var best = Enumerable.Range(0, fits.Length).MaxBy(i => fits[i]);
        if (best == 0 || best == fits.Length - 1)
            return 0;                                                                                                   // no turn explains the change
        var (left, middle, right) = (fits[best - 1], fits[best], fits[best + 1]);
        var bend = left - 2 * middle + right;
        var between = bend < 0 ? (left - right) / (2 * bend) : 0;                                                       // top of the parabola
        return (best - Reach + between) * 360.0 / Angles;
    }

    private static double Fit(double[][] before, double[][] after, int shift)
    {
        var sum = 0.0;
        for (var ring = 0; ring < before.Length; ring++)
            for (var angle = 0; angle < Angles; angle++)
                sum += before[ring][angle] * after[ring][(angle + shift + Angles) % Angles];
        return sum;
    }
}
