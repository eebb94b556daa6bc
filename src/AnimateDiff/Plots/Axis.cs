namespace AnimateDiff.Plots;

/// <summary>A range of values with its ticks at 1, 2 or 5 times a power of ten.</summary>
internal sealed class Axis
{
    private readonly double _low;
    private readonly double _high;
    private readonly bool _log;

    private Axis(double low, double high, bool log, IEnumerable<double> ticks, Func<double, string> label)
    {
        (_low, _high, _log) = (low, high, log);
        Ticks = [.. ticks.Select(tick => (tick, label(tick)))];
    }

    /// <summary>The ticks' values and labels, from low to high.</summary>
    public IReadOnlyList<(double Value, string Label)> Ticks { get; }

    /// <summary>Where a value lies: 0 at the low end, 1 at the high one, outside beyond; NaN for one that a logarithmic axis does not have.</summary>
    public double Position(double value) => _log ? value > 0 ? (Math.Log10(value) - _low) / (_high - _low) : double.NaN : (value - _low) / (_high - _low);

    /// <summary>An axis from tick to tick around <paramref name="values"/> (0…1 where there are none), of about <paramref name="ticks"/> ticks.</summary>
    /// <param name="values">Values to hold; NaN and ∞ are passed over.</param>
    /// <param name="ticks">About how many ticks there is room for.</param>
    /// <param name="tight">Ends at the values themselves instead of at ticks; whole numbers get whole ticks.</param>
    public static Axis Linear(IReadOnlyCollection<double> values, int ticks, bool tight = false)
    {
        var (low, high) = Range(values.Where(double.IsFinite));
        var step = Step((high - low) / ticks);
        if (tight && values.All(double.IsInteger))
            step = Math.Max(step, 1);                                                    // there is no half of a training step
        var (first, last) = tight ? (Math.Ceiling(low / step - 1e-9), Math.Floor(high / step + 1e-9)) : (Math.Floor(low / step + 1e-9), Math.Ceiling(high / step - 1e-9));
        var (bottom, top) = tight ? (low, high) : (first * step, last * step);
        var margin = (top - bottom) * 0.03;                                              // so that a curve does not run along the border; bars stand on theirs
        return new Axis(tight || low == 0 || low - bottom > margin ? bottom : bottom - margin, tight || high == 0 || top - high > margin ? top : top + margin, log: false,
            Steps(first, last).Select(index => index * step), Label(step, Math.Max(Math.Abs(low), Math.Abs(high))));
    }

    /// <summary>A logarithmic axis around the positive ones of <paramref name="values"/>: ticks at powers of ten, and at 2 and 5 between them where those are few.</summary>
    public static Axis Logarithmic(IEnumerable<double> values)
    {
        var (low, high) = Range(values.Where(value => double.IsFinite(value) && value > 0).Select(Math.Log10));
        var (first, last) = (Math.Floor(low), Math.Ceiling(high));
        var every = Math.Ceiling((last - first) / 8);
        var margin = (high - low) * 0.03;
        double[] ticks = [.. Steps(0, Math.Floor((last - first) / every)).SelectMany(index => Fine(high - low).Select(digit => digit * Math.Pow(10, first + index * every)))
            .Where(tick => Math.Log10(tick) >= low - margin && Math.Log10(tick) <= high + margin)];
        return new Axis(low - margin, high + margin, log: true, ticks, low < -3 && high < 0 ? Exponent : Short);
    }

    private static double[] Fine(double decades) => decades switch { < 0.8 => [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9], < 1.6 => [1, 2, 3, 5, 7], < 3 => [1, 2, 5], _ => [1] };

    private static IEnumerable<double> Steps(double first, double last)
    {
        for (var index = first; index <= last; index++)
            yield return index;
    }

    private static (double Low, double High) Range(IEnumerable<double> values)
    {
        var (low, high) = values.Aggregate((Low: double.PositiveInfinity, High: double.NegativeInfinity), (range, value) => (Math.Min(range.Low, value), Math.Max(range.High, value)));
        if (low > high)
            return (0, 1);
        var least = Math.Max(Math.Abs(low), Math.Abs(high)) * 1e-6;                      // equal but for rounding: a range around them
        return high - low > least ? (low, high) : low == 0 ? (0, 1) : (low - Math.Abs(low) * 0.1, high + Math.Abs(high) * 0.1);
    }

    /// <summary>The next 1, 2 or 5 times a power of ten.</summary>
    private static double Step(double atLeast)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(atLeast)));
        return power * (new[] { 1.0, 2, 5 }.FirstOrDefault(digit => digit * power >= atLeast * (1 - 1e-9), 10));
    }

    private static Func<double, string> Label(double step, double largest)
    {
        var decimals = Math.Max(0, -(int)Math.Floor(Math.Log10(step) + 1e-9));
        return decimals > 4 || largest >= 1e7 ? Short : value => (value == 0 ? 0 : value).ToString($"F{decimals}");
    }

    /// <summary>A number in few characters: 0.002, 1e-5, 300.</summary>
    public static string Short(double value) => value == 0 ? "0" : Math.Abs(value) is >= 1e-3 and < 1e6 ? value.ToString("0.#####") : Exponent(value);

    private static string Exponent(double value) => value.ToString("0.##e0");
}
