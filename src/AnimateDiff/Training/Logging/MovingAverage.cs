namespace AnimateDiff.Training.Logging;

/// <summary>An exponential moving average that is right from the first value on (bias-corrected, as Adam's moments are); values that are not finite are passed over.</summary>
/// <param name="window">About how many values count.</param>
internal sealed class MovingAverage(double window)
{
    private readonly double _keep = 1 - 1 / Math.Max(1, window);
    private double _sum;
    private double _weight;

    /// <summary>The average; NaN before the first value.</summary>
    public double Value => _weight == 0 ? double.NaN : _sum / _weight;

    /// <summary>Adds a value and returns the average.</summary>
    public double Add(double value)
    {
        if (double.IsFinite(value))
            (_sum, _weight) = (_keep * _sum + (1 - _keep) * value, _keep * _weight + (1 - _keep));
        return Value;
    }
}
