namespace AnimateDiff.Noise.Samplers;

/// <summary>
/// The steps of <see cref="DdimScheduler"/> taken backwards, from the clean sample to noise: the same pairs of ᾱ, exchanged, so that a sampler of the same options
/// and steps goes the way back. It is not exact, for the noise is predicted where a step begins and not where the sampler's begins (Dhariwal and Nichol 2021,
/// https://arxiv.org/abs/2105.05233; Mokady et al. 2022, https://arxiv.org/abs/2211.09794).
/// </summary>
internal sealed class DdimInverseScheduler : AlphaBarScheduler
{
    /// <param name="ddim">The sampler that goes the way back, without noise of its own.</param>
    public DdimInverseScheduler(Scheduler ddim) : base(new SchedulerSetup(ddim.Info, ddim.Options, ddim.Steps), [.. ddim.Timesteps.Reverse()])
    {
        if (Options.Eta > 0)
            throw SchedulerSettings.Refused(Info, "eta", $"{Options.Eta}", "0: steps that draw noise cannot be taken backwards");
        if (Options.PredictionType == PredictionType.Sample && AlphaBar(Before(0)) == 1)
            throw SchedulerSettings.Refused(Info, "set_alpha_to_one", "true", "false for a model of prediction_type sample, which says nothing of noise where there is none");
    }

    public override SchedulerRun Start() => new MemorylessRun(this, Step);

    internal override (double Signal, double Noise) LevelAt(int index) => (Math.Sqrt(AlphaBar(Before(index))), Math.Sqrt(1 - AlphaBar(Before(index))));

    // The timestep a step begins at, which is where the sampler's ends.
    private int Before(int index) => (int)Timesteps[index] - Options.NumTrainTimesteps / Steps;

    // Song et al. 2021, eq. 12 with σ = 0 and the two timesteps exchanged
    private Operand Step(Operand output, int index, Operand sample, Generator? generator)
    {
        var (alpha, next) = (AlphaBar(Before(index)), AlphaBar((int)Timesteps[index]));
        return Math.Sqrt(next) * Original(output, sample, alpha) + Math.Sqrt(1 - next) * Noise(output, sample, alpha);
    }
}
