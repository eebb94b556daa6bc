namespace AnimateDiff.Noise.Samplers;

/// <summary>Multistep sampling of latent consistency models (Luo et al. 2023, https://arxiv.org/abs/2310.04378).</summary>
internal sealed class LcmScheduler(SchedulerSetup setup) : AlphaBarScheduler(setup, Schedule(setup))
{
    // σ_data of the boundary condition, for latents as for images
    private const double DataSigma = 0.5;

    public static SchedulerInfo Entry { get; } = new(
        "lcm", "4 to 8 steps, with AnimateLCM or an LCM LoRA only", "LCMScheduler",
        setup => new LcmScheduler(setup))
    {
        Accepts =
        [
            .. SchedulerInfo.Beta, "rescale_betas_zero_snr", "original_inference_steps", "timestep_scaling", .. SchedulerInfo.Clip,
            .. SchedulerInfo.Threshold,
        ],
        AsInDiffusers = options => options with { BetaSchedule = BetaShape.ScaledLinear },
    };

    public override bool IsStochastic => true;

    public override SchedulerRun Start() => new MemorylessRun(this, Step);

    private Operand Step(Operand output, int index, Operand sample, Generator? generator)
    {
        var alphaBar = AlphaBar((int)Timesteps[index]);
        // the consistency function f = c_skip·x + c_out·x_0, which is the identity at t = 0 (eq. 9 and appendix)
        var scaled = Timesteps[index] * Options.TimestepScaling;
        var skip = DataSigma * DataSigma / (scaled * scaled + DataSigma * DataSigma);
        var denoised = scaled / Math.Sqrt(scaled * scaled + DataSigma * DataSigma) * Original(output, sample, alphaBar) + skip * sample;
        if (index == Timesteps.Count - 1)
            return denoised;

        // algorithm 3: back to the next timestep's noise level with fresh noise
        var nextBar = AlphaBar((int)Timesteps[index + 1]);
        return Math.Sqrt(nextBar) * denoised + Math.Sqrt(1 - nextBar) * ModelPrediction.DrawNoise(sample, generator);
    }

    // Evenly spread over the timesteps of the solver the model was distilled from.
    private static double[] Schedule(SchedulerSetup setup)
    {
        var (steps, original) = (setup.Steps, setup.Options.OriginalInferenceSteps);
        if (steps > original)
        {
            throw new RequestException(
                $"The lcm scheduler cannot run {steps} steps with original_inference_steps = {original}; expected at most that many steps.");
        }
        var stride = setup.Options.NumTrainTimesteps / original;
        var spread = (double)original / steps;
        return [.. Enumerable.Range(0, steps).Select(i => (double)((original - (int)Math.Floor(i * spread)) * stride - 1))];
    }
}
