namespace AnimateDiff.Noise.Samplers;

/// <summary>
/// Euler's method on the probability-flow ODE (Karras et al. 2022, https://arxiv.org/abs/2206.00364, algorithm 2 without churn and correction).
/// </summary>
internal sealed class EulerScheduler : SigmaScheduler
{
    private EulerScheduler(SchedulerSetup setup, NoiseLevels levels) : base(setup, levels.Timesteps, levels.Sigmas) { }

    public static SchedulerInfo Entry { get; } = new(
        "euler", "fast and plain; for AnimateDiff-Lightning with timestep_spacing trailing", "EulerDiscreteScheduler",
        setup => new EulerScheduler(setup, NoiseLevels.AlongSigma(setup)))
    {
        Accepts =
        [
            .. SchedulerInfo.Beta, .. SchedulerInfo.Spacing, "rescale_betas_zero_snr", .. SchedulerInfo.Respacing, "sigma_min", "sigma_max",
            "interpolation_type", "final_sigmas_type",
        ],
        Options = new() { TimestepSpacing = TimestepSpacing.Linspace },
    };

    public override SchedulerRun Start() => new MemorylessRun(this, Step);

    private Operand Step(Operand output, int index, Operand sample, Generator? generator)
        => sample + (Sigmas[index + 1] - Sigmas[index]) * Derivative(output, sample, Sigmas[index]);
}
