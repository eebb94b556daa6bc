using AnimateDiff.Noise;

namespace AnimateDiff.Tests.Noise;

public class SigmaSpacingTests
{
    [Theory]
    [InlineData(0.1)]
    [InlineData(0.5)]
    [InlineData(0.83)]
    public void Beta_quantiles_are_those_known_in_closed_form(double probability)
    {
        Assert.Equal(probability, SigmaSpacing.SymmetricBetaQuantile(probability, 1), 1e-9);                                    // uniform
        Assert.Equal(Math.Pow(Math.Sin(Math.PI * probability / 2), 2), SigmaSpacing.SymmetricBetaQuantile(probability, 0.5), 1e-9); // arcsine
    }

    [Fact]
    public void Every_spacing_falls_from_the_largest_level_to_the_smallest()
    {
        foreach (var sigmas in new[] { SigmaSpacing.Karras(14, 0.03, 9), SigmaSpacing.Exponential(14, 0.03, 9), SigmaSpacing.Beta(14, 0.03, 9) })
        {
            Assert.Equal(14, sigmas[0], 1e-9);
            Assert.Equal(0.03, sigmas[^1], 1e-9);
            Assert.Equal(sigmas.OrderDescending(), sigmas);
        }
    }

    [Fact]
    public void Timestep_of_a_timesteps_level_is_that_timestep()
    {
        var table = new SigmaTable(BetaSchedule.Default);
        Assert.All(Enumerable.Range(0, 1000), timestep => Assert.Equal(timestep, table.TimestepOf(table.At(timestep)), 1e-3));
        Assert.Equal(0, table.TimestepOf(0));
        Assert.Equal(999, table.TimestepOf(1e6));
    }
}
