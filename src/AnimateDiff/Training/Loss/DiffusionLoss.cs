using AnimateDiff.Noise;

namespace AnimateDiff.Training.Loss;

/// <summary>The training objective: mean squared error of the prediction at noisy latents, in fp32 (Ho et al. 2020, eq. 14).</summary>
/// <param name="Schedule">The schedule trained on.</param>
/// <param name="Target">What is predicted.</param>
/// <param name="MinSnrGamma">γ of min-SNR weighting (Hang et al. 2023, arXiv 2303.09556), or null for equal weights.</param>
internal sealed record DiffusionLoss(BetaSchedule Schedule, PredictionType Target, double? MinSnrGamma)
{
    /// <summary>The loss of each sample, [B].</summary>
    /// <param name="predict">The network: noisy latents [B, 4, F, h, w] and timesteps [B] → prediction.</param>
    /// <param name="latents">Clean latents, [B, 4, F, h, w].</param>
    /// <param name="noise">Unit noise of the same shape.</param>
    /// <param name="timesteps">[B], int64.</param>
    public Tensor PerSample(Func<Tensor, Tensor, Tensor> predict, Tensor latents, Tensor noise, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        var noisy = Schedule.AddNoise(latents, noise, timesteps);
        var target = Target == PredictionType.Epsilon ? noise : Schedule.Velocity(latents, noise, timesteps);
        var error = predict(noisy, timesteps).to(ScalarType.Float32) - target.to(ScalarType.Float32);
        var losses = error.Square().flatten(1).mean([1]);                                                    // [B]
        return (MinSnrGamma is null ? losses : losses * Weights(timesteps)).MoveToOuterDisposeScope();
    }

    // min(SNR, γ)/SNR for ε, min(SNR, γ)/(SNR + 1) for v: both are min(SNR, γ) of the error of x₀
    private Tensor Weights(Tensor timesteps)
    {
        var ratio = Schedule.Snr(timesteps);
        using Scalar gamma = MinSnrGamma!.Value.ToScalar(), least = 1e-8.ToScalar();
        return ratio.clamp(max: gamma) / (Target == PredictionType.Epsilon ? ratio.clamp(min: least) : ratio.Add(1));
    }
}
