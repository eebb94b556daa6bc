namespace AnimateDiff.Noise.Samplers;

/// <summary>
/// Pseudo numerical methods for diffusion models (Liu et al. 2022, https://arxiv.org/abs/2202.09778): linear multistep on the noise (PLMS),
/// started by a step taken twice, or by three pseudo Runge-Kutta steps (PRK) of four evaluations each.
/// </summary>
internal sealed class PndmScheduler(SchedulerSetup setup) : AlphaBarScheduler(setup, Schedule(setup))
{
    private const int PrkSteps = 3;
    private const int PrkEvaluations = 4;

    public static SchedulerInfo Entry { get; } = new(
        "pndm", "Stable Diffusion's first default, linear multistep", "PNDMScheduler",
        setup => new PndmScheduler(setup))
    {
        Accepts = [.. SchedulerInfo.Beta, .. SchedulerInfo.Spacing, "skip_prk_steps", "set_alpha_to_one"],
        Only = new Dictionary<string, string[]> { ["prediction_type"] = ["epsilon", "v_prediction"] },
        // skip_prk_steps is true here as in every Stable Diffusion model, though false in diffusers' class
        Options = new() { SetAlphaToOne = false },
        AsInDiffusers = options => options with { BetaStart = 0.0001, BetaEnd = 0.02, SkipPrkSteps = false },
    };

    private int Stride => Options.NumTrainTimesteps / Steps;

    private int FirstPlms => Options.SkipPrkSteps ? 0 : PrkSteps * PrkEvaluations;

    public override SchedulerRun Start() => new Run(this);

    internal override int EntryOfStep(int step) => Options.SkipPrkSteps
        ? step == 0 ? 0 : step + 1
        : step < PrkSteps ? step * PrkEvaluations : FirstPlms + step - PrkSteps;

    // Eq. 11: the transfer φ(x_t, ε_t, t, t') from a timestep to another.
    private Operand Transfer(Operand sample, Operand output, int from, int to)
    {
        var (alpha, next) = (AlphaBar(from), AlphaBar(to));
        var noise = ModelPrediction.Noise(Options.PredictionType, output, sample, Math.Sqrt(alpha), Math.Sqrt(1 - alpha));
        var denominator = alpha * Math.Sqrt(1 - next) + Math.Sqrt(alpha * (1 - alpha) * next);
        return Math.Sqrt(next / alpha) * sample - (next - alpha) / denominator * noise;
    }

    private static double[] Schedule(SchedulerSetup setup)
    {
        var steps = TimestepGrid.Uniform(setup, whole: true);
        if (setup.Options.SkipPrkSteps)
            return steps.Length == 1 ? steps : [steps[0], steps[1], .. steps[1..]];
        if (steps.Length <= PrkSteps)
        {
            throw new RequestException(
                $"The pndm scheduler cannot run {setup.Steps} steps with skip_prk_steps = false, whose start alone takes {PrkSteps}; "
                + $"expected at least {PrkSteps + 1} steps, or true.");
        }
        // a Runge-Kutta step evaluates at its start, twice half way, and at its end
        var half = setup.Options.NumTrainTimesteps / setup.Steps / 2;
        var start = Enumerable.Range(0, PrkSteps).SelectMany(i => new[] { steps[i], steps[i + 1] + half, steps[i + 1] + half, steps[i + 1] });
        return [.. start, .. steps[PrkSteps..]];
    }

    private sealed class Run(PndmScheduler scheduler) : SchedulerRun(scheduler)
    {
        private readonly TensorHistory _outputs = new(capacity: 4);
        private readonly TensorHistory _start = new(capacity: 1);
        private readonly TensorHistory _slopes = new(capacity: 1);

        internal override IReadOnlyList<TensorHistory> Memory => [_outputs, _start, _slopes];

        private protected override Operand Advance(Operand output, int index, Operand sample, Generator? generator)
            => index < scheduler.FirstPlms ? RungeKutta(output, index, sample) : Multistep(output, index, sample);

        // Eq. 13: the classical Runge-Kutta rule with φ in the place of the straight line
        private Operand RungeKutta(Operand output, int index, Operand sample)
        {
            var stage = index % PrkEvaluations;
            var from = (int)scheduler.Timesteps[index - stage];
            var to = (int)scheduler.Timesteps[index] - (stage % 2 == 0 ? scheduler.Stride / 2 : 0);
            if (stage == 0)
            {
                _outputs.Push(output);
                _start.Push(sample);
                _slopes.Push(output / 6);
            }
            else
            {
                _slopes.Push(_slopes[0] + output / (stage == PrkEvaluations - 1 ? 6 : 3));
            }
            return scheduler.Transfer(_start[0], stage == PrkEvaluations - 1 ? _slopes[0] : output, from, to);
        }

        // Eq. 12: Adams-Bashforth on the noise
        private Operand Multistep(Operand output, int index, Operand sample)
        {
            var from = (int)scheduler.Timesteps[index];
            if (scheduler.Options.SkipPrkSteps && index == 1)
            {
                // the first step once more, with the mean of the noise at its two ends
                return scheduler.Transfer(_start[0], (output + _outputs[0]) / 2, from + scheduler.Stride, from);
            }
            _outputs.Push(output);
            if (index == 0)
                _start.Push(sample);
            var noise = _outputs.Count switch
            {
                1 => output,
                2 => (3 * _outputs[0] - _outputs[1]) / 2,
                3 => (23 * _outputs[0] - 16 * _outputs[1] + 5 * _outputs[2]) / 12,
                _ => (55 * _outputs[0] - 59 * _outputs[1] + 37 * _outputs[2] - 9 * _outputs[3]) / 24,
            };
            return scheduler.Transfer(sample, noise, from, from - scheduler.Stride);
        }
    }
}
