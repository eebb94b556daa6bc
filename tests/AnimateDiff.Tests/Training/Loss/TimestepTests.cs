using AnimateDiff.Training.Dataset;
using AnimateDiff.Training.Recipes;

namespace AnimateDiff.Tests.Training.Loss;

/// <summary>Where in the schedule samples are trained.</summary>
public class TimestepTests
{
    private const int Count = 40_000;

    [Fact]
    public void Without_settings_all_timesteps_are_alike()
    {
        var places = Places(0, null);
        for (var tenth = 0; tenth < 10; tenth++)
            Assert.InRange(places.Count(place => (int)(place * 10) == tenth), Count / 10 * 0.93, Count / 10 * 1.07);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(-0.5, 0.3)]
    public void Logits_are_normal(double mean, double deviation)
    {
        var logits = Places(mean, deviation).Select(place => (Math.Log(place / (1 - place)) - mean) / deviation).ToArray();
        Assert.Equal(0, logits.Average(), 0.02);
        Assert.Equal(1, logits.Average(logit => logit * logit), 0.03);
        Assert.Equal(0, logits.Average(logit => logit * logit * logit), 0.06);
        Assert.Equal(0.1587, logits.Count(logit => logit > 1) / (double)Count, 0.006);         // 1 − Φ(1)
    }

    [Fact]
    public void No_place_is_past_the_last_timestep() => Assert.All(Places(50, 3), place => Assert.InRange((long)(place * 1000), 0, 999));

    private static double[] Places(double mean, double? deviation) =>
        [.. Enumerable.Range(0, Count).Select(position => DiffusionRecipe.PlaceOf(SampleDraw.Of(7, position), mean, deviation))];
}
