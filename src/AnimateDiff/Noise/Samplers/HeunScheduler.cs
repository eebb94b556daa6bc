namespace AnimateDiff.Noise.Samplers;

/// <summary>
/// Heun's second-order method (Karras et al. 2022, https://arxiv.org/abs/2206.00364, algorithm 2 without churn): two evaluations per step, one
/// in the last.
/// </summary>
internal sealed class HeunScheduler : SigmaScheduler
{
    // step k is evaluated at σ_k (entry 2k) and at σ_{k+1} (entry 2k+1): t_0, t_1, t_1, t_2, t_2, …
    private HeunScheduler(SchedulerSetup setup, NoiseLevels levels)
        : base(
            setup,
            [levels.Timesteps[0], .. levels.Timesteps[1..].SelectMany(timestep => new[] { timestep, timestep })],
            [levels.Sigmas[0], .. levels.Sigmas[1..^1].SelectMany(sigma => new[] { sigma, sigma }), levels.Sigmas[^1]])
    {
    }

    public static SchedulerInfo Entry { get; } = new(
        "heun", "second order; two model evaluations per step", "HeunDiscreteScheduler",
        setup => new HeunScheduler(setup, NoiseLevels.AlongSigma(setup)))
    {
        Accepts = [.. SchedulerInfo.Beta, .. SchedulerInfo.Spacing, .. SchedulerInfo.Respacing, .. SchedulerInfo.Clip],
        Options = new() { TimestepSpacing = TimestepSpacing.Linspace },
        AsInDiffusers = options => options,
    };

    internal override int EntryOfStep(int step) => 2 * step;

    public override SchedulerRun Start() => new Run(this);

    private sealed class Run(HeunScheduler scheduler) : SchedulerRun(scheduler)
    {
        private readonly TensorHistory _sample = new(capacity: 1);
        private readonly TensorHistory _derivative = new(capacity: 1);

        internal override IReadOnlyList<TensorHistory> Memory => [_sample, _derivative];

        private protected override Operand Advance(Operand output, int index, Operand sample, Generator? generator)
        {
            var derivative = scheduler.Derivative(output, sample, scheduler.Sigmas[index]);
            if (index % 2 == 0)
            {
                // Euler's step; in the last one, to σ = 0, it is all
                _sample.Push(sample);
                _derivative.Push(derivative);
                return sample + (scheduler.Sigmas[index + 1] - scheduler.Sigmas[index]) * derivative;
            }
            // the step again, with the mean of the derivatives at its two ends
            return _sample[0] + (scheduler.Sigmas[index] - scheduler.Sigmas[index - 1]) / 2 * (_derivative[0] + derivative);
        }
    }
}
