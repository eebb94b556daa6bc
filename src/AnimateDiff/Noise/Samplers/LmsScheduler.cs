namespace AnimateDiff.Noise.Samplers;

/// <summary>Linear multistep of order 4 along σ (k-diffusion's <c>sample_lms</c>; Adams-Bashforth for uneven steps).</summary>
internal sealed class LmsScheduler : SigmaScheduler
{
    private const int MaxOrder = 4;

    private LmsScheduler(SchedulerSetup setup, NoiseLevels levels) : base(setup, levels.Timesteps, levels.Sigmas) { }

    public static SchedulerInfo Entry { get; } = new(
        "lms", "linear multistep along σ", "LMSDiscreteScheduler",
        setup => new LmsScheduler(setup, NoiseLevels.AlongSigma(setup)))
    {
        Accepts = [.. SchedulerInfo.Beta, .. SchedulerInfo.Spacing, .. SchedulerInfo.Respacing],
        Options = new() { TimestepSpacing = TimestepSpacing.Linspace },
    };

    public override SchedulerRun Start() => new Run(this);

    // ∫ of the Lagrange polynomial that is 1 at σ_{i−k} and 0 at the other nodes, from σ_i to σ_{i+1}; two-point Gauss-Legendre is exact to
    // its degree, at most 3.
    private double Coefficient(int order, int i, int k)
    {
        double Lagrange(double sigma) => Enumerable.Range(0, order).Where(j => j != k)
            .Aggregate(1.0, (product, j) => product * (sigma - Sigmas[i - j]) / (Sigmas[i - k] - Sigmas[i - j]));
        var (middle, half) = ((Sigmas[i] + Sigmas[i + 1]) / 2, (Sigmas[i + 1] - Sigmas[i]) / 2);
        return half * (Lagrange(middle - half / Math.Sqrt(3)) + Lagrange(middle + half / Math.Sqrt(3)));
    }

    private sealed class Run(LmsScheduler scheduler) : SchedulerRun(scheduler)
    {
        private readonly TensorHistory _derivatives = new(MaxOrder);

        internal override IReadOnlyList<TensorHistory> Memory => [_derivatives];

        private protected override Operand Advance(Operand output, int index, Operand sample, Generator? generator)
        {
            _derivatives.Push(scheduler.Derivative(output, sample, scheduler.Sigmas[index]));
            var next = sample;
            for (var k = 0; k < _derivatives.Count; k++)
                next = next + scheduler.Coefficient(_derivatives.Count, index, k) * _derivatives[k];
            return next;
        }
    }
}
