namespace AnimateDiff.Noise.Samplers;

/// <summary>Denoising diffusion probabilistic models (Ho, Jain and Abbeel 2020, https://arxiv.org/abs/2006.11239).</summary>
internal sealed class DdpmScheduler(SchedulerSetup setup) : AlphaBarScheduler(setup, TimestepGrid.Uniform(setup, whole: true))
{
    public static SchedulerInfo Entry { get; } = new(
        "ddpm", "the original stochastic sampler; needs many steps", "DDPMScheduler",
        setup => new DdpmScheduler(setup))
    {
        Accepts =
        [
            .. SchedulerInfo.Beta, .. SchedulerInfo.Spacing, "rescale_betas_zero_snr", "variance_type", .. SchedulerInfo.Clip,
            .. SchedulerInfo.Threshold,
        ],
        // clip_sample is false here though true in diffusers' class: clipping latents to ±1 spoils them
        AsInDiffusers = options => options with { BetaStart = 0.0001, BetaEnd = 0.02, ClipSample = true },
    };

    public override bool IsStochastic => true;

    public override SchedulerRun Start() => new MemorylessRun(this, Step);

    private Operand Step(Operand output, int index, Operand sample, Generator? generator)
    {
        var timestep = (int)Timesteps[index];
        var alphaBar = AlphaBar(timestep);
        var previousBar = index + 1 < Timesteps.Count ? AlphaBar((int)Timesteps[index + 1]) : 1;
        // α and β of a step that may skip timesteps
        var alpha = alphaBar / previousBar;
        var beta = 1 - alpha;

        // eq. 7: mean of q(x_{t−1} | x_t, x_0)
        var mean = Math.Sqrt(previousBar) * beta / (1 - alphaBar) * Original(output, sample, alphaBar)
            + Math.Sqrt(alpha) * (1 - previousBar) / (1 - alphaBar) * sample;
        if (timestep == 0)
            return mean;
        var posterior = Math.Max((1 - previousBar) / (1 - alphaBar) * beta, 1e-20);
        var variance = Options.VarianceType == DdpmVariance.FixedLarge ? beta : posterior;
        return mean + Math.Sqrt(variance) * ModelPrediction.DrawNoise(sample, generator);
    }
}
