using AnimateDiff.Noise;
using AnimateDiff.Training.Loss;

namespace AnimateDiff.Tests.Training.Loss;

/// <summary>The loss against numbers worked out by hand from the schedule's ᾱ.</summary>
public class DiffusionLossTests
{
    private static readonly BetaSchedule Schedule = BetaSchedule.Default;
    private static readonly long[] Steps = [10, 900];

    [Theory]
    [InlineData(PredictionType.Epsilon, null)]
    [InlineData(PredictionType.Epsilon, 5.0)]
    [InlineData(PredictionType.VPrediction, null)]
    [InlineData(PredictionType.VPrediction, 5.0)]
    public void It_is_as_by_hand(PredictionType target, double? gamma)
    {
        using var scope = NewDisposeScope();
        var (x0, noise, predicted) = (0.5, -1.25, 0.25);
        Tensor Filled(double value) => full([2, 4, 2, 3, 3], value, ScalarType.Float32);
        var seen = new List<double>();
        var losses = new DiffusionLoss(Schedule, target, gamma).PerSample((noisy, at) =>
        {
            Assert.Equal(Steps, at.data<long>().ToArray());
            seen.AddRange([noisy[0, 0, 0, 0, 0].item<float>(), noisy[1, 3, 1, 2, 2].item<float>()]);
            return Filled(predicted);
        }, Filled(x0), Filled(noise), tensor(Steps));

        for (var i = 0; i < 2; i++)
        {
            var alpha = Schedule.AlphasCumprod[(int)Steps[i]];
            Assert.Equal(Math.Sqrt(alpha) * x0 + Math.Sqrt(1 - alpha) * noise, seen[i], 1e-6);
            var wanted = target == PredictionType.Epsilon ? noise : Math.Sqrt(alpha) * noise - Math.Sqrt(1 - alpha) * x0;
            var ratio = alpha / (1 - alpha);                                            // 80 at t = 10, 0.02 at t = 900: on both sides of γ
            var weight = gamma is null ? 1 : Math.Min(ratio, gamma.Value) / (target == PredictionType.Epsilon ? ratio : ratio + 1);
            var expected = (predicted - wanted) * (predicted - wanted) * weight;
            Assert.Equal(expected, losses[i].item<float>(), 2e-5 * expected);
        }
    }

    [Fact]
    public void Each_sample_has_its_own_mean()
    {
        using var scope = NewDisposeScope();
        var noise = cat([ones([1, 4, 2, 2, 2]), zeros([1, 4, 2, 2, 2])]);
        noise[1, 0, 0, 0, 0] = 4;
        var losses = new DiffusionLoss(Schedule, PredictionType.Epsilon, null).PerSample((noisy, _) => zeros_like(noisy), zeros_like(noise), noise, tensor(Steps));
        Assert.Equal([1f, 16f / 32], losses.data<float>().ToArray());
    }
}
