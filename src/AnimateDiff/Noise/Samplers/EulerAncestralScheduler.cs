namespace AnimateDiff.Noise.Samplers;

/// <summary>
/// Ancestral sampling with Euler's method (k-diffusion's <c>sample_euler_ancestral</c>): each step goes below the next noise level and adds
/// fresh noise up to it.
/// </summary>
internal sealed class EulerAncestralScheduler : SigmaScheduler
{
    private EulerAncestralScheduler(SchedulerSetup setup, NoiseLevels levels) : base(setup, levels.Timesteps, levels.Sigmas) { }

    public static SchedulerInfo Entry { get; } = new(
        "euler-a", "Euler with fresh noise in every step", "EulerAncestralDiscreteScheduler",
        setup => new EulerAncestralScheduler(setup, NoiseLevels.AlongSigma(setup)))
    {
        Accepts = [.. SchedulerInfo.Beta, .. SchedulerInfo.Spacing, "rescale_betas_zero_snr"],
        Only = new Dictionary<string, string[]> { ["prediction_type"] = ["epsilon", "v_prediction"] },
        Options = new() { TimestepSpacing = TimestepSpacing.Linspace },
    };

    public override bool IsStochastic => true;

    public override SchedulerRun Start() => new MemorylessRun(this, Step);

    private Operand Step(Operand output, int index, Operand sample, Generator? generator)
    {
        var (from, to) = (Sigmas[index], Sigmas[index + 1]);
        // σ_up is the standard deviation of q(x_to | x_from, x_0), and σ_down² + σ_up² = σ_to²
        var up = Math.Sqrt(to * to * (from * from - to * to) / (from * from));
        var down = Math.Sqrt(to * to - up * up);
        return sample + (down - from) * Derivative(output, sample, from) + up * ModelPrediction.DrawNoise(sample, generator);
    }
}
