namespace AnimateDiff.Noise.Samplers;

/// <summary>DPM-Solver++ multistep (Lu et al. 2022, https://arxiv.org/abs/2211.01095, algorithm 2), as ODE or SDE.</summary>
internal sealed class DpmSolverMultistepScheduler : LogSnrScheduler
{
    // below this many steps the last ones are unstable at full order
    private const int FewSteps = 15;

    private DpmSolverMultistepScheduler(SchedulerSetup setup, NoiseLevels levels) : base(setup, levels)
    {
        if (IsStochastic && Options.SolverOrder == 3)
            throw SchedulerSettings.Refused(Info, "solver_order", "3", "1 or 2 with algorithm_type = sde-dpmsolver++");
    }

    public static SchedulerInfo Entry { get; } = Named("dpmpp-2m", "second-order multistep; good from 15 steps", options => options);

    public static SchedulerInfo KarrasEntry { get; } =
        Named("dpmpp-2m-karras", "dpmpp-2m on Karras noise levels", options => options with { UseKarrasSigmas = true });

    public static SchedulerInfo SdeKarrasEntry { get; } = Named(
        "dpmpp-2m-sde-karras", "dpmpp-2m with fresh noise in every step, on Karras noise levels",
        options => options with { UseKarrasSigmas = true, AlgorithmType = DpmAlgorithm.Sde });

    public override bool IsStochastic => Options.AlgorithmType == DpmAlgorithm.Sde;

    public override SchedulerRun Start() => new Run(this);

    private static SchedulerInfo Named(string name, string summary, Func<SchedulerOptions, SchedulerOptions> preset)
        => new(name, summary, "DPMSolverMultistepScheduler", setup => new DpmSolverMultistepScheduler(setup, NoiseLevels.AlongLogSnr(setup)))
        {
            Accepts =
            [
                .. SchedulerInfo.Beta, .. SchedulerInfo.Spacing, "rescale_betas_zero_snr", .. SchedulerInfo.Respacing, "use_lu_lambdas",
                "algorithm_type", "solver_order", "solver_type", "lower_order_final", "euler_at_final", "final_sigmas_type", "lambda_min_clipped",
                .. SchedulerInfo.Threshold,
            ],
            Only = new Dictionary<string, string[]> { ["solver_type"] = ["midpoint", "heun"] },
            Options = preset(new() { TimestepSpacing = TimestepSpacing.Linspace }),
            Preset = preset,
        };

    private int Order(int index, int known)
    {
        var left = Timesteps.Count - index;
        var few = Options.LowerOrderFinal && Timesteps.Count < FewSteps;
        if (left == 1 && (Options.EulerAtFinal || few || Options.FinalSigmasType == FinalSigmas.Zero))
            return 1;
        return Math.Min(known, left == 2 && few ? 2 : Options.SolverOrder);
    }

    private sealed class Run(DpmSolverMultistepScheduler scheduler) : SchedulerRun(scheduler)
    {
        private readonly TensorHistory _originals = new(scheduler.Options.SolverOrder);

        internal override IReadOnlyList<TensorHistory> Memory => [_originals];

        private protected override Operand Advance(Operand output, int index, Operand sample, Generator? generator)
        {
            _originals.Push(scheduler.Original(output, sample, index));
            var noise = scheduler.IsStochastic ? ModelPrediction.DrawNoise(sample, generator) : null;

            var update = new DpmSolverUpdate(scheduler, index, index + 1);
            var next = update.FirstOrder(sample, _originals[0], noise);
            var order = scheduler.Order(index, _originals.Count);
            if (order == 1 || update.Step == 0)
                return next;

            var r0 = (scheduler.Lambda(index) - scheduler.Lambda(index - 1)) / update.Step;
            var d1 = (_originals[0] - _originals[1]) / r0;
            if (order == 2)
                return next + update.Term(update.SecondOrder, d1);

            var r1 = (scheduler.Lambda(index - 1) - scheduler.Lambda(index - 2)) / update.Step;
            var d2 = (d1 - (_originals[1] - _originals[2]) / r1) / (r0 + r1);
            return next + update.Term(update.Phi2, d1 + r0 * d2) + update.Term(update.Phi3, d2);
        }
    }
}
