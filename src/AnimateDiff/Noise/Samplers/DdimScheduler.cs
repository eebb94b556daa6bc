namespace AnimateDiff.Noise.Samplers;

/// <summary>Denoising diffusion implicit models (Song, Meng and Ermon 2021, https://arxiv.org/abs/2010.02502).</summary>
internal sealed class DdimScheduler(SchedulerSetup setup) : AlphaBarScheduler(setup, TimestepGrid.Uniform(setup, whole: true))
{
    public static SchedulerInfo Entry { get; } = new(
        "ddim", "deterministic, the one AnimateDiff's authors use; η above 0 adds noise", "DDIMScheduler",
        setup => new DdimScheduler(setup))
    {
        Accepts =
        [
            .. SchedulerInfo.Beta, .. SchedulerInfo.Spacing, "rescale_betas_zero_snr", "set_alpha_to_one", "eta", .. SchedulerInfo.Clip,
            .. SchedulerInfo.Threshold,
        ],
        // the official scripts' settings; diffusers' class has no offset and clips
        Options = new() { StepsOffset = 1 },
        AsInDiffusers = options => options with { BetaStart = 0.0001, BetaEnd = 0.02, StepsOffset = 0, ClipSample = true },
    };

    public override bool IsStochastic => Options.Eta > 0;

    public override SchedulerRun Start() => new MemorylessRun(this, Step);

    private Operand Step(Operand output, int index, Operand sample, Generator? generator)
    {
        var timestep = (int)Timesteps[index];
        var alpha = AlphaBar(timestep);
        var previous = AlphaBar(timestep - Options.NumTrainTimesteps / Steps);

        // eq. 12, with σ_t of eq. 16: predicted x_0, the direction back to x_t, and fresh noise
        var variance = Options.Eta * Options.Eta * (1 - previous) / (1 - alpha) * (1 - alpha / previous);
        var next = Math.Sqrt(previous) * Original(output, sample, alpha)
            + Math.Sqrt(Math.Max(1 - previous - variance, 0)) * Noise(output, sample, alpha);
        return IsStochastic ? next + Math.Sqrt(variance) * ModelPrediction.DrawNoise(sample, generator) : next;
    }
}
