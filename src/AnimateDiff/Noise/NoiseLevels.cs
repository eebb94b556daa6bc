namespace AnimateDiff.Noise;

/// <summary>The noise levels σ of a run, one per step plus the one it ends on, and each step's timestep.</summary>
internal sealed record NoiseLevels(double[] Timesteps, double[] Sigmas)
{
    /// <summary>For the samplers of Karras et al. 2022, which move along σ: fractional timesteps, last level zero.</summary>
    public static NoiseLevels AlongSigma(SchedulerSetup setup)
    {
        var (options, table) = (setup.Options, new SigmaTable(setup.Betas));
        var timesteps = TimestepGrid.Uniform(setup, whole: false);
        double[] sigmas = options.InterpolationType == SigmaInterpolation.Linear
            ? [.. timesteps.Select(table.At)]
            : SigmaSpacing.Exponential(table.Max, table.Min, setup.Steps + 1);
        if (SigmaSpacing.Of(options, sigmas[0], sigmas[^1], setup.Steps) is { } spaced)
            (sigmas, timesteps) = (spaced, [.. spaced.Select(table.TimestepOf)]);
        return Finish(options, table, timesteps, sigmas);
    }

    /// <summary>For the solvers of Lu et al. 2022, which move along log-SNR: whole timesteps, the last level left to the end of the run.</summary>
    /// <exception cref="RequestException">So many steps that two of them would have the same noise level.</exception>
    public static NoiseLevels AlongLogSnr(SchedulerSetup setup)
    {
        var (options, table) = (setup.Options, new SigmaTable(setup.Betas));
        double[] timesteps, sigmas;
        if (SigmaSpacing.Of(options, table.Max, table.Min, setup.Steps) is { } spaced)
        {
            // Karras and Lu spacings round to the nearest timestep, the others down; so does everything on a cosine schedule of the multistep solver
            var nearest = (options.UseKarrasSigmas || options.UseLuLambdas)
                && !(options.BetaSchedule == BetaShape.SquaredcosCapV2 && setup.Info.DiffusersClass == "DPMSolverMultistepScheduler");
            sigmas = spaced;
            timesteps = [.. spaced.Select(sigma => nearest ? Math.Round(table.TimestepOf(sigma)) : Math.Floor(table.TimestepOf(sigma)))];
        }
        else
        {
            timesteps = TimestepGrid.WithoutLast(setup, options.NumTrainTimesteps - table.CountBelow(options.LambdaMinClipped));
            sigmas = [.. timesteps.Select(table.At)];
        }
        for (var i = 1; i < sigmas.Length; i++)
        {
            if (!(sigmas[i] < sigmas[i - 1]))
            {
                throw new RequestException(
                    $"{setup.Steps} steps of the {setup.Info.Name} scheduler would visit timestep {timesteps[i]} twice; "
                    + "expected fewer steps, or another timestep_spacing.");
            }
        }
        return Finish(options, table, timesteps, sigmas);
    }

    // single precision, as diffusers keeps them
    private static NoiseLevels Finish(SchedulerOptions options, SigmaTable table, double[] timesteps, double[] sigmas)
    {
        var last = options.FinalSigmasType == FinalSigmas.Zero ? 0 : table.Min;
        return new([.. timesteps.Select(timestep => (double)(float)timestep)], [.. sigmas.Append(last).Select(sigma => (double)(float)sigma)]);
    }
}

/// <summary>The noise level of every training timestep, and between them.</summary>
internal sealed class SigmaTable(BetaSchedule betas)
{
    private readonly double[] _sigmas = [.. betas.Sigmas];
    private readonly float[] _logs = [.. betas.Sigmas.Select(sigma => (float)Math.Log(sigma))];

    public double Min => _sigmas[0];

    public double Max => _sigmas[^1];

    /// <summary>The level of a timestep, linear between whole ones.</summary>
    public double At(double timestep)
    {
        var below = (int)Math.Clamp(Math.Floor(timestep), 0, _sigmas.Length - 1);
        var above = Math.Min(below + 1, _sigmas.Length - 1);
        return _sigmas[below] + (timestep - below) * (_sigmas[above] - _sigmas[below]);
    }

    /// <summary>
    /// The timestep of a level, linear in its logarithm between whole timesteps. In single precision: the level of a whole timestep must give
    /// that timestep, since some samplers round down.
    /// </summary>
    public double TimestepOf(double sigma)
    {
        var log = (float)Math.Log(Math.Max(sigma, 1e-10));
        var below = Math.Clamp(Array.FindLastIndex(_logs, value => value <= log), 0, _logs.Length - 2);
        var weight = Math.Clamp((_logs[below] - log) / (_logs[below] - _logs[below + 1]), 0, 1);
        return (double)(1 - weight) * below + (double)weight * (below + 1);
    }

    /// <summary>Number of timesteps whose log-SNR λ = −ln σ is below a limit.</summary>
    public int CountBelow(double lambda) => _logs.Count(log => -log < lambda);
}

/// <summary>Other spacings of noise levels than those of evenly spaced timesteps, largest first.</summary>
internal static class SigmaSpacing
{
    /// <summary>The levels the options ask for, or null where they follow from the timesteps.</summary>
    public static double[]? Of(SchedulerOptions options, double max, double min, int count)
    {
        (max, min) = (options.SigmaMax ?? max, options.SigmaMin ?? min);
        return options switch
        {
            { UseKarrasSigmas: true } => Karras(max, min, count),
            // a spacing even in log-SNR is one even in log σ
            { UseExponentialSigmas: true } or { UseLuLambdas: true } => Exponential(max, min, count),
            { UseBetaSigmas: true } => Beta(max, min, count),
            _ => null,
        };
    }

    /// <summary>Karras et al. 2022, eq. 5: even in σ^(1/ρ).</summary>
    public static double[] Karras(double max, double min, int count)
    {
        const double rho = 7;
        var (from, to) = (Math.Pow(max, 1 / rho), Math.Pow(min, 1 / rho));
        return [.. Ramp(count).Select(x => Math.Pow(from + x * (to - from), rho))];
    }

    public static double[] Exponential(double max, double min, int count)
    {
        var (from, to) = (Math.Log(max), Math.Log(min));
        return [.. Ramp(count).Select(x => Math.Exp(from + x * (to - from)))];
    }

    /// <summary>Lee et al. 2024: dense at both ends, at the quantiles of Beta(0.6, 0.6).</summary>
    public static double[] Beta(double max, double min, int count)
        => [.. Ramp(count).Select(x => min + SymmetricBetaQuantile(1 - x, 0.6) * (max - min))];

    /// <summary>The x for which a Beta(shape, shape) variable is below x with the given probability.</summary>
    public static double SymmetricBetaQuantile(double probability, double shape)
    {
        if (probability > 0.5)
            return 1 - SymmetricBetaQuantile(1 - probability, shape);
        // the distribution function is half at one half, so the series needs no normalising constant
        var atHalf = Incomplete(0.5, shape);
        var (low, high) = (0.0, 0.5);
        for (var i = 0; i < 60; i++)
        {
            var middle = (low + high) / 2;
            if (0.5 * Incomplete(middle, shape) / atHalf < probability)
                low = middle;
            else
                high = middle;
        }
        return (low + high) / 2;
    }

    // ∫₀ˣ (t(1−t))^(a−1) dt = xᵃ·Σ (1−a)ₙ xⁿ / (n!·(a+n)); below one half every term is less than half the one before
    private static double Incomplete(double x, double a)
    {
        var (sum, term) = (0.0, 1.0);
        for (var n = 0; n < 60; n++)
        {
            sum += term / (a + n);
            term *= (1 - a + n) / (n + 1) * x;
        }
        return Math.Pow(x, a) * sum;
    }

    // 0 … 1, both included
    private static double[] Ramp(int count) => [.. Enumerable.Range(0, count).Select(i => (double)i / Math.Max(count - 1, 1))];
}
