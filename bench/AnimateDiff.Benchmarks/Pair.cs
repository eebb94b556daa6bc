namespace AnimateDiff.Benchmarks;

/// <summary>Seconds of two pieces of work, done in turn.</summary>
internal sealed class Pair(Func<Time> naive, Func<Time> ours)
{
    private readonly List<(Time Naive, Time Ours)> _times = [];

    /// <summary>Names of what <see cref="Print"/> prints.</summary>
    public static string Header => $"{"",-8}{"TFLOP",10}{"naive s",10}{"ours s",10}{"ratio",8}{"least",8}{"most",8}{"by cpu",8}{"naive GFLOP/s",16}{"ours",10}{"of the product",17}";

    /// <summary>Median seconds of the first.</summary>
    public double Naive => Median(_times.Select(pair => pair.Naive.Seconds));

    /// <summary>Median seconds of the second.</summary>
    public double Ours => Median(_times.Select(pair => pair.Ours.Seconds));

    public void Measure(bool oursFirst)
    {
        if (oursFirst)
        {
            var first = ours();
            _times.Add((naive(), first));
        }
        else
            _times.Add((naive(), ours()));
    }

    /// <summary>A line: medians, how many times faster ours is with the least and most of a pair, the same in the processor's time, and the speeds.</summary>
    public void Print(string name, double flop, double product)
    {
        double[] ratios = [.. _times.Select(pair => pair.Naive.Seconds / pair.Ours.Seconds)];
        var byProcessor = Median(_times.Select(pair => pair.Naive.OfProcessor / pair.Ours.OfProcessor));
        var speed = flop / Ours / 1e9;
        Console.WriteLine($"{name,-8}{flop / 1e12,10:0.0000}{Naive,10:0.000}{Ours,10:0.000}{Median(ratios),8:0.00}{ratios.Min(),8:0.00}{ratios.Max(),8:0.00}{byProcessor,8:0.00}{flop / Naive / 1e9,16:0.0}{speed,10:0.0}{speed / product,17:0 %}");
    }

    /// <summary>The middle one of some values, or the mean of the two in the middle.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
