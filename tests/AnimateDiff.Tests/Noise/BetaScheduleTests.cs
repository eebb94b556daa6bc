using AnimateDiff.Noise;

namespace AnimateDiff.Tests.Noise;

public class BetaScheduleTests
{
    [Fact]
    public void Tables_have_the_published_ends()
    {
        var linear = BetaSchedule.Default;
        Assert.Equal(1000, linear.Count);
        Assert.Equal(0.00085, linear.Betas[0], 1e-8);
        Assert.Equal(0.012, linear.Betas[^1], 1e-8);
        Assert.Equal(1 - 0.00085, linear.AlphasCumprod[0], 1e-7);

        var scaled = new BetaSchedule(BetaShape.ScaledLinear, 0.00085, 0.012);
        Assert.Equal(0.00085, scaled.Betas[0], 1e-8);
        Assert.Equal(14.6146, scaled.Sigmas[^1], 1e-3);

        var cosine = new BetaSchedule(BetaShape.SquaredcosCapV2, 0, 0);
        Assert.Equal(0.999, cosine.Betas[^1], 1e-6);
        Assert.Equal(0.4938, cosine.AlphasCumprod[499], 1e-3);
    }

    [Fact]
    public void Rescaled_schedule_ends_without_signal_and_begins_as_before()
    {
        var plain = new BetaSchedule(BetaShape.ScaledLinear, 0.00085, 0.012);
        var rescaled = new BetaSchedule(BetaShape.ScaledLinear, 0.00085, 0.012, rescaleZeroSnr: true);
        Assert.Equal(0, rescaled.AlphasCumprod[^1]);
        Assert.Equal(plain.AlphasCumprod[0], rescaled.AlphasCumprod[0], 1e-6);
        Assert.Equal(4096, rescaled.Sigmas[^1], 0.01);
    }

    [Fact]
    public void Noised_sample_and_velocity_give_back_the_original()
    {
        using var scope = NewDisposeScope();
        var (original, noise) = (randn([3, 4, 2, 5, 5]), randn([3, 4, 2, 5, 5]));
        var timesteps = tensor(new long[] { 0, 500, 999 });
        var schedule = BetaSchedule.Default;
        var noisy = schedule.AddNoise(original, noise, timesteps);
        var velocity = schedule.Velocity(original, noise, timesteps);
        for (var i = 0; i < 3; i++)
        {
            var alpha = schedule.AlphasCumprod[(int)timesteps[i].item<long>()];
            Assert.True(Goldens.Difference(Math.Sqrt(alpha) * noisy[i] - Math.Sqrt(1 - alpha) * velocity[i], original[i]) < 1e-5);
        }
    }

    [Fact]
    public void Noise_over_a_weaker_signal_still_leads_to_the_original()
    {
        using var scope = NewDisposeScope();
        var (original, noise) = (randn([3, 4, 2, 5, 5]), randn([3, 4, 2, 5, 5]));
        var (timesteps, shares) = (tensor(new long[] { 500, 951, 951 }), tensor(new[] { 1f, 0.25f, 0f }));
        var schedule = BetaSchedule.Default;
        var over = schedule.NoiseOver(original, noise, timesteps, shares);
        var noisy = schedule.AddNoise(original, over, timesteps);
        Assert.True(Goldens.Difference(over[0], noise[0]) < 1e-5);                                          // the whole signal: as ever
        var alpha = schedule.AlphasCumprod[951];
        Assert.True(Goldens.Difference(noisy[1], 0.25 * Math.Sqrt(alpha) * original[1] + Math.Sqrt(1 - alpha / 16) * noise[1]) < 1e-5);
        Assert.True(Goldens.Difference(noisy[2], noise[2]) < 1e-5);                                         // none of it
        Assert.True(Goldens.Difference((noisy[2] - Math.Sqrt(1 - alpha) * over[2]) / Math.Sqrt(alpha), original[2]) < 1e-4);
    }

    [Fact]
    public void Signal_to_noise_ratio_is_the_inverse_square_of_sigma()
    {
        using var scope = NewDisposeScope();
        var ratios = BetaSchedule.Default.Snr(tensor(new long[] { 10, 900 }));
        Assert.Equal(Math.Pow(BetaSchedule.Default.Sigmas[10], -2), ratios[0].item<float>(), 1e-3);
        Assert.Equal(Math.Pow(BetaSchedule.Default.Sigmas[900], -2), ratios[1].item<float>(), 1e-6);
    }

    [Fact]
    public void Schedule_leaves_no_tensors()
    {
        DisposeScopeManager.Statistics.Reset();
        _ = new BetaSchedule(BetaShape.ScaledLinear, 0.00085, 0.012, rescaleZeroSnr: true);
        Assert.Equal(0, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }
}
