using AnimateDiff.Evaluation;
using AnimateDiff.Toybox;

namespace AnimateDiff.Tests.Evaluation;

public sealed class IntervalTests
{
    [Theory]
    [InlineData(8, 10, 0.4902, 0.9433)]                                                                                 // Newcombe, "Two-sided confidence intervals", 1998, and R's prop.test
    [InlineData(0, 10, 0, 0.2775)]
    [InlineData(10, 10, 0.7225, 1)]
    [InlineData(81, 263, 0.2553, 0.3662)]
    public void Shares_have_Wilsons_interval(int hits, int count, double low, double high)
    {
        var interval = Interval.OfShare(hits, count);
        Assert.Equal((count, hits / (double)count), (interval.Count, interval.Value));
        Assert.Equal(low, interval.Low, 4);
        Assert.Equal(high, interval.High, 4);
    }

    [Fact]
    public void Means_of_normal_numbers_have_an_interval_of_1_96_standard_errors()
    {
        double[] values = [.. Enumerable.Range(0, 400).Select(i => 5 + 2 * Normal(new ToyRandom(7, i)))];
        var interval = Interval.OfMean(values);
        var deviation = Math.Sqrt(values.Sum(value => (value - values.Average()) * (value - values.Average())) / values.Length);
        Assert.Equal(values.Average(), interval.Value, 12);
        Assert.InRange((interval.High - interval.Low) / (2 * 1.96 * deviation / Math.Sqrt(values.Length)), 0.92, 1.08);
        Assert.Equal(interval, Interval.OfMean(values));

        static double Normal(ToyRandom random) => Math.Sqrt(-2 * Math.Log(1 - random.Uniform(0))) * Math.Cos(2 * Math.PI * random.Uniform(1));
    }

    [Fact]
    public void Medians_do_not_see_what_is_far_off()
    {
        double[] values = [.. Enumerable.Range(0, 40).Select(i => i < 38 ? 1 + i * 0.01 : -9000)];
        var interval = Interval.OfMedian(values);
        Assert.Equal(1.175, interval.Value, 9);
        Assert.InRange(interval.Low, 1.05, 1.175);
        Assert.InRange(interval.High, 1.175, 1.3);
        Assert.Equal(2.5, Interval.OfMedian([4, 1, 2, 3]).Value);
    }

    [Fact]
    public void Nothing_measured_is_a_dash()
    {
        Assert.Equal("–", Interval.OfMean([]).Text(2));
        Assert.Equal("–", Interval.OfShare(0, 0).Percent);
        Assert.Equal("80.0 % (49.0 to 94.3)", Interval.OfShare(8, 10).Percent);
        Assert.Equal("2.00 (2.00 to 2.00)", Interval.OfMean([2, 2, 2]).Text(2));
    }
}
