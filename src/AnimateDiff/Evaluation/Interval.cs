namespace AnimateDiff.Evaluation;

/// <summary>A share or mean with the 95 % interval that it lies in.</summary>
/// <param name="Count">n.</param>
/// <param name="Value">The share or mean; NaN where n is 0.</param>
/// <param name="Low">Lower end.</param>
/// <param name="High">Upper end.</param>
internal readonly record struct Interval(int Count, double Value, double Low, double High)
{
    private const double Quantile = 1.959964;                                                                           // of the normal distribution, 97.5 %
    private const int Resamples = 2000;

    /// <summary>A share, with Wilson's interval (E. B. Wilson, "Probable inference", 1927).</summary>
    public static Interval OfShare(int hits, int count)
    {
        if (count == 0)
            return new(0, double.NaN, double.NaN, double.NaN);
        var (share, square) = (hits / (double)count, Quantile * Quantile / count);
        var centre = (share + square / 2) / (1 + square);
        var half = Quantile / (1 + square) * Math.Sqrt(share * (1 - share) / count + square / (4 * count));
        return new(count, share, Math.Max(0, Math.Min(share, centre - half)), Math.Min(1, Math.Max(share, centre + half)));
    }

    /// <summary>Share of the values for which something is true.</summary>
    public static Interval OfShare<T>(IReadOnlyCollection<T> values, Func<T, bool> hit) => OfShare(values.Count(hit), values.Count);

    /// <summary>A mean, with the percentile bootstrap's interval (B. Efron, "Bootstrap methods", 1979): always the same draws.</summary>
    public static Interval OfMean(IReadOnlyList<double> values) => Bootstrap(values, drawn => drawn.Average());

    /// <summary>A median, with the same interval: for numbers of which a few are far off because nothing could be measured.</summary>
    public static Interval OfMedian(IReadOnlyList<double> values) => Bootstrap(values, drawn =>
    {
        Array.Sort(drawn);
        return (drawn[(drawn.Length - 1) / 2] + drawn[drawn.Length / 2]) / 2;
    });

    /// <summary>Mean of a number of each row.</summary>
    public static Interval OfMean<T>(IEnumerable<T> values, Func<T, double> number) => OfMean([.. values.Select(number)]);

    /// <summary>Median of a number of each row.</summary>
    public static Interval OfMedian<T>(IEnumerable<T> values, Func<T, double> number) => OfMedian([.. values.Select(number)]);

    /// <summary>As <c>0.93 (0.90–0.96)</c>.</summary>
    public string Text(int digits) => Count == 0 ? "–" : FormattableString.Invariant($"{Value.ToString($"F{digits}")} ({Low.ToString($"F{digits}")} to {High.ToString($"F{digits}")})");

    /// <summary>As <c>93.0 % (90.1 to 95.8)</c>.</summary>
    public string Percent => Count == 0 ? "–" : FormattableString.Invariant($"{100 * Value:F1} % ({100 * Low:F1} to {100 * High:F1})");

    private static Interval Bootstrap(IReadOnlyList<double> values, Func<double[], double> statistic)
    {
        if (values.Count == 0)
            return new(0, double.NaN, double.NaN, double.NaN);
        var (drawn, found) = (new double[values.Count], new double[Resamples]);
        for (var sample = 0; sample < Resamples; sample++)
        {
            for (var draw = 0; draw < drawn.Length; draw++)
                drawn[draw] = values[(int)(Uniform(sample, draw) * drawn.Length)];
            found[sample] = statistic(drawn);
        }
        Array.Sort(found);
        return new(values.Count, statistic([.. values]), found[(int)(0.025 * Resamples)], found[(int)(0.975 * Resamples) - 1]);
    }

    /// <summary>Always the same numbers in [0, 1): a hash (splitmix64) of which resample and which draw.</summary>
    private static double Uniform(int sample, int draw) => (Mix(Mix(Mix(95) ^ (ulong)sample) ^ (ulong)draw) >> 11) * (1.0 / (1L << 53));

    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
        value = (value ^ value >> 27) * 0x94D049BB133111EB;
        return value ^ value >> 31;
    }
}
