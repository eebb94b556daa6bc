namespace AnimateDiff.Noise.Samplers;

/// <summary>
/// k-diffusion's <c>sample_dpm_2</c>, in the spirit of DPM-Solver-2 and of Karras et al. 2022, algorithm 2: the midpoint method, half way in
/// log σ. Two evaluations per step, one in the last.
/// </summary>
internal sealed class Kdpm2Scheduler : SigmaScheduler
{
    private readonly double[] _levels;

    // step k is evaluated at σ_k (entry 2k) and at √(σ_k·σ_{k+1}) (entry 2k+1)
    private Kdpm2Scheduler(SchedulerSetup setup, NoiseLevels levels)
        : base(
            setup,
            Interleave(levels.Timesteps, TimestepsOf(setup.Betas, Midpoints(levels))),
            [levels.Sigmas[0], .. levels.Sigmas[1..].SelectMany(sigma => new[] { sigma, sigma }), levels.Sigmas[^1]])
        => _levels = Interleave(levels.Sigmas[..^1], Midpoints(levels));

    public static SchedulerInfo Entry { get; } = new(
        "kdpm2", "second order by midpoints; two model evaluations per step", "KDPM2DiscreteScheduler",
        setup => new Kdpm2Scheduler(setup, Rounded(setup, NoiseLevels.AlongSigma(setup))))
    {
        Accepts = [.. SchedulerInfo.Beta, .. SchedulerInfo.Spacing, .. SchedulerInfo.Respacing],
        Only = new Dictionary<string, string[]> { ["prediction_type"] = ["epsilon", "v_prediction"] },
        Options = new() { TimestepSpacing = TimestepSpacing.Linspace },
        AsInDiffusers = options => options,
    };

    internal override int EntryOfStep(int step) => 2 * step;

    internal override (double Signal, double Noise) LevelAt(int index) => (1, _levels[index]);

    // diffusers gives a sample noised to a midpoint's timestep the level of the step's end
    private protected override (double Signal, double Noise) LevelOf(double timestep) => (1, Sigmas[IndexOf(timestep)]);

    public override SchedulerRun Start() => new Run(this);

    private static NoiseLevels Rounded(SchedulerSetup setup, NoiseLevels levels)
        => setup.Options.UseKarrasSigmas ? levels with { Timesteps = [.. levels.Timesteps.Select(timestep => Math.Round(timestep))] } : levels;

    private static IEnumerable<double> Midpoints(NoiseLevels levels)
        => levels.Sigmas[..^1].Zip(levels.Sigmas[1..^1], (from, to) => (double)(float)Math.Exp((Math.Log(from) + Math.Log(to)) / 2));

    private static IEnumerable<double> TimestepsOf(BetaSchedule betas, IEnumerable<double> sigmas)
    {
        var table = new SigmaTable(betas);
        return sigmas.Select(sigma => (double)(float)table.TimestepOf(sigma));
    }

    private static double[] Interleave(double[] steps, IEnumerable<double> midpoints)
        => [steps[0], .. midpoints.Zip(steps[1..]).SelectMany(pair => new[] { pair.First, pair.Second })];

    private sealed class Run(Kdpm2Scheduler scheduler) : SchedulerRun(scheduler)
    {
        private readonly TensorHistory _sample = new(capacity: 1);

        internal override IReadOnlyList<TensorHistory> Memory => [_sample];

        private protected override Operand Advance(Operand output, int index, Operand sample, Generator? generator)
        {
            var levels = scheduler._levels;
            var derivative = scheduler.Derivative(output, sample, levels[index]);
            if (index % 2 == 1)
                return _sample[0] + (levels[index + 1] - levels[index - 1]) * derivative;
            _sample.Push(sample);
            var next = index + 1 < levels.Length ? levels[index + 1] : 0;
            return sample + (next - levels[index]) * derivative;
        }
    }
}
