namespace AnimateDiff.Noise.Samplers;

/// <summary>
/// UniPC (Zhao et al. 2023, https://arxiv.org/abs/2302.04867, algorithms 5 and 6): a predictor and, for free, a corrector that takes the last
/// step once more when its end has been evaluated. On the predicted clean sample, so with −h for the paper's h.
/// </summary>
internal sealed class UniPcScheduler : LogSnrScheduler
{
    private UniPcScheduler(SchedulerSetup setup, NoiseLevels levels) : base(setup, levels)
    {
        if (Options is { LowerOrderFinal: false, FinalSigmasType: FinalSigmas.Zero, SolverOrder: > 1 })
        {
            throw SchedulerSettings.Refused(
                Info, "lower_order_final", "false", "true, or final_sigmas_type = sigma_min, as only the first order reaches zero noise");
        }
    }

    public static SchedulerInfo Entry { get; } = new(
        "unipc", "predictor and corrector in one; good from 8 steps", "UniPCMultistepScheduler",
        setup => new UniPcScheduler(setup, NoiseLevels.AlongLogSnr(setup)))
    {
        Accepts =
        [
            .. SchedulerInfo.Beta, .. SchedulerInfo.Spacing, "rescale_betas_zero_snr", .. SchedulerInfo.Respacing, "sigma_min", "sigma_max",
            "solver_order", "solver_type", "lower_order_final", "final_sigmas_type", .. SchedulerInfo.Threshold,
        ],
        Only = new Dictionary<string, string[]> { ["solver_type"] = ["bh1", "bh2"] },
        Options = new() { TimestepSpacing = TimestepSpacing.Linspace, SolverType = SolverType.Bh2 },
    };

    public override SchedulerRun Start() => new Run(this);

    private int Order(int index, int known)
        => Math.Min(known, Options.LowerOrderFinal ? Math.Min(Options.SolverOrder, Timesteps.Count - index) : Options.SolverOrder);

    private sealed class Run(UniPcScheduler scheduler) : SchedulerRun(scheduler)
    {
        private readonly TensorHistory _originals = new(scheduler.Options.SolverOrder);
        private readonly TensorHistory _corrected = new(capacity: 1);

        internal override IReadOnlyList<TensorHistory> Memory => [_originals, _corrected];

        private protected override Operand Advance(Operand output, int index, Operand sample, Generator? generator)
        {
            var original = scheduler.Original(output, sample, index);
            if (_corrected.Count > 0)
                sample = Update(index - 1, scheduler.Order(index - 1, _originals.Count), original);
            _originals.Push(original);
            _corrected.Push(sample);
            return Update(index, scheduler.Order(index, _originals.Count), corrector: null);
        }

        // UniP from level s to the next, eq. 3 of the paper; UniC, eq. 9, where the clean sample predicted at the end is given.
        private Operand Update(int s, int order, Operand? corrector)
        {
            var h = scheduler.Lambda(s + 1) - scheduler.Lambda(s);
            if (h == 0)
                return _corrected[0];
            var (alpha, m0) = (scheduler.Alpha(s + 1), _originals[0]);
            var next = scheduler.Sigma(s + 1) / scheduler.Sigma(s) * _corrected[0] + alpha * (1 - Math.Exp(-h)) * m0;

            double[] nodes = [.. Enumerable.Range(1, order - 1).Select(k => (scheduler.Lambda(s - k) - scheduler.Lambda(s)) / h)];
            double[] weights = corrector is null ? Weights(nodes, h) : Weights([.. nodes, 1], h);
            for (var k = 0; k < nodes.Length; k++)
                next = next + alpha * weights[k] / nodes[k] * (_originals[k + 1] - m0);
            return corrector is null ? next : next + alpha * weights[^1] * (corrector - m0);
        }

        // −B(h)·a_p of the paper: the a that make the update exact for polynomials through the nodes (eq. 5), fixed at one half for a single node.
        private double[] Weights(double[] nodes, double h)
        {
            var b = scheduler.Options.SolverType == SolverType.Bh1 ? -h : Math.Exp(-h) - 1;
            if (nodes.Length == 0)
                return [];
            if (nodes.Length == 1)
                return [-b / 2];
            var rows = new double[nodes.Length][];
            var (phi, factorial) = ((Math.Exp(-h) - 1) / -h - 1, 1.0);
            for (var i = 0; i < nodes.Length; i++)
            {
                rows[i] = [.. nodes.Select(node => Math.Pow(node, i)), -phi * factorial];
                factorial *= i + 2;
                phi = phi / -h - 1 / factorial;
            }
            return Solve(rows);
        }

        // Gauss-Jordan without pivoting, which a Vandermonde matrix of distinct nodes does not need.
        private static double[] Solve(double[][] rows)
        {
            var count = rows.Length;
            for (var i = 0; i < count; i++)
            {
                rows[i] = [.. rows[i].Select(value => value / rows[i][i])];
                for (var j = 0; j < count; j++)
                {
                    if (j != i)
                        rows[j] = [.. rows[j].Zip(rows[i], (value, pivot) => value - rows[j][i] * pivot)];
                }
            }
            return [.. rows.Select(row => row[count])];
        }
    }
}
