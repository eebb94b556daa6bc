namespace AnimateDiff.Noise.Samplers;

/// <summary>
/// DPM-Solver++ singlestep (Lu et al. 2022, https://arxiv.org/abs/2211.01095, algorithm 1): blocks of as many evaluations as the order,
/// each evaluation going further from the block's start with what the block has learnt.
/// </summary>
internal sealed class DpmSolverSinglestepScheduler : LogSnrScheduler
{
    private readonly int[] _orders;

    private DpmSolverSinglestepScheduler(SchedulerSetup setup, NoiseLevels levels) : base(setup, levels)
    {
        if (IsStochastic && Options.SolverOrder == 3)
            throw SchedulerSettings.Refused(Info, "solver_order", "3", "1 or 2 with algorithm_type = sde-dpmsolver++");
        _orders = Orders(levels.Timesteps.Length, Options);
    }

    public static SchedulerInfo Entry { get; } = new(
        "dpmpp-2s", "second-order singlestep", "DPMSolverSinglestepScheduler",
        setup => new DpmSolverSinglestepScheduler(setup, NoiseLevels.AlongLogSnr(setup)))
    {
        Accepts =
        [
            .. SchedulerInfo.Beta, .. SchedulerInfo.Respacing, "algorithm_type", "solver_order", "solver_type", "lower_order_final",
            "final_sigmas_type", "lambda_min_clipped", .. SchedulerInfo.Threshold,
        ],
        Only = new Dictionary<string, string[]> { ["solver_type"] = ["midpoint", "heun"] },
        Options = new() { TimestepSpacing = TimestepSpacing.Linspace, LowerOrderFinal = false },
    };

    public override bool IsStochastic => Options.AlgorithmType == DpmAlgorithm.Sde;

    public override SchedulerRun Start() => new Run(this);

    // 1, 2, 1, 2, … or 1, 2, 3, 1, 2, 3, …: how many evaluations of its block each one has seen. A last block that does not fit is cut
    // short; one that ends without noise, or that lower_order_final cuts, takes its last step with order 1.
    private static int[] Orders(int steps, SchedulerOptions options)
    {
        int[] orders = [.. Enumerable.Range(0, steps).Select(i => i % options.SolverOrder + 1)];
        if (options.FinalSigmasType == FinalSigmas.Zero || (options.LowerOrderFinal && steps % options.SolverOrder == 0))
            orders[^1] = 1;
        return orders;
    }

    private sealed class Run(DpmSolverSinglestepScheduler scheduler) : SchedulerRun(scheduler)
    {
        private readonly TensorHistory _originals = new(scheduler.Options.SolverOrder);
        private readonly TensorHistory _start = new(capacity: 1);

        internal override IReadOnlyList<TensorHistory> Memory => [_originals, _start];

        private protected override Operand Advance(Operand output, int index, Operand sample, Generator? generator)
        {
            _originals.Push(scheduler.Original(output, sample, index));
            var noise = scheduler.IsStochastic ? ModelPrediction.DrawNoise(sample, generator) : null;
            var order = Math.Min(scheduler._orders[index], _originals.Count);
            if (order == 1)
                _start.Push(sample);

            var start = index - (order - 1);
            var update = new DpmSolverUpdate(scheduler, start, index + 1);
            var d0 = _originals[order - 1];
            var next = update.FirstOrder(_start[0], d0, noise);
            if (order == 1 || update.Step == 0)
                return next;

            var r0 = (scheduler.Lambda(index) - scheduler.Lambda(start)) / update.Step;
            var slope0 = (_originals[0] - d0) / r0;
            if (order == 2)
                return next + update.Term(update.SecondOrder, slope0);
            if (scheduler.Options.SolverType == SolverType.Midpoint)
                return next + update.Term(update.Phi2, slope0);

            var r1 = (scheduler.Lambda(start + 1) - scheduler.Lambda(start)) / update.Step;
            var slope1 = (_originals[1] - d0) / r1;
            return next
                + update.Term(update.Phi2, (r0 * slope1 - r1 * slope0) / (r0 - r1))
                + update.Term(update.Phi3, 2 * (slope0 - slope1) / (r0 - r1));
        }
    }
}
