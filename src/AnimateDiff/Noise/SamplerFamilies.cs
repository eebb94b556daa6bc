namespace AnimateDiff.Noise;

/// <summary>Samplers on whole timesteps and ᾱ: x = √ᾱ_t·x_0 + √(1−ᾱ_t)·ε.</summary>
internal abstract class AlphaBarScheduler : Scheduler
{
    private readonly double _finalAlphaBar;

    protected AlphaBarScheduler(SchedulerSetup setup, double[] timesteps) : base(setup, timesteps)
    {
        _finalAlphaBar = Options.SetAlphaToOne ? 1 : Betas.AlphasCumprod[0];
        if (Options.PredictionType == PredictionType.Epsilon && AlphaBar((int)timesteps[0]) == 0)
        {
            throw SchedulerSettings.Refused(
                Info, "rescale_betas_zero_snr", "true",
                $"prediction_type v_prediction or sample, as predicted noise says nothing at timestep {timesteps[0]}, where no signal is left");
        }
    }

    /// <summary>ᾱ of a timestep; below the first one, that of the finished sample.</summary>
    protected double AlphaBar(int timestep) => timestep >= 0 ? Betas.AlphasCumprod[timestep] : _finalAlphaBar;

    /// <summary>The clean sample the model's output stands for where ᾱ is <paramref name="alphaBar"/>.</summary>
    protected Operand Original(Operand output, Operand sample, double alphaBar)
    {
        var (signal, noise) = (Math.Sqrt(alphaBar), Math.Sqrt(1 - alphaBar));
        return ModelPrediction.Limit(ModelPrediction.Original(Options.PredictionType, output, sample, signal, noise), Options);
    }

    /// <summary>The noise it stands for.</summary>
    protected Operand Noise(Operand output, Operand sample, double alphaBar)
        => ModelPrediction.Noise(Options.PredictionType, output, sample, Math.Sqrt(alphaBar), Math.Sqrt(1 - alphaBar));

    internal override (double Signal, double Noise) LevelAt(int index) => LevelOf(Timesteps[index]);

    private protected override (double Signal, double Noise) LevelOf(double timestep)
    {
        if (timestep < 0 || timestep >= Betas.Count || timestep != Math.Floor(timestep))
            throw new ArgumentException($"{timestep} is no training timestep; expected a whole one, 0 to {Betas.Count - 1}.", nameof(timestep));
        return (Math.Sqrt(AlphaBar((int)timestep)), Math.Sqrt(1 - AlphaBar((int)timestep)));
    }
}

/// <summary>Samplers along σ with the signal at unit scale: x = x_0 + σ·ε (Karras et al. 2022).</summary>
internal abstract class SigmaScheduler : Scheduler
{
    protected SigmaScheduler(SchedulerSetup setup, double[] timesteps, double[] sigmas) : base(setup, timesteps, sigmas)
    {
        var largest = sigmas.Max();
        // a leading spacing does not begin at the largest level, where the sample is all noise: its variance is the signal's too
        InitNoiseSigma = Options.TimestepSpacing == TimestepSpacing.Leading ? Math.Sqrt(largest * largest + 1) : largest;
    }

    public override double InitNoiseSigma { get; }

    public override Tensor ScaleModelInput(Tensor sample, int index)
    {
        var sigma = LevelAt(index).Noise;
        return sample.Over(Math.Sqrt(sigma * sigma + 1));
    }

    internal override (double Signal, double Noise) LevelAt(int index) => (1, Sigmas[index]);

    /// <summary>dx/dσ = (x − x_0)/σ, the direction away from the predicted clean sample (Karras et al. 2022, eq. 3).</summary>
    protected Operand Derivative(Operand output, Operand sample, double sigma)
        => (sample - ModelPrediction.Limit(ModelPrediction.OriginalAtUnitScale(Options.PredictionType, output, sample, sigma), Options)) / sigma;
}

/// <summary>Solvers along the log-SNR λ = ln(α/σ), with x = α·x_0 + σ·ε and α² + σ² = 1 (Lu et al. 2022).</summary>
internal abstract class LogSnrScheduler(SchedulerSetup setup, NoiseLevels levels) : Scheduler(setup, levels.Timesteps, levels.Sigmas)
{
    /// <summary>α of the i-th level.</summary>
    public double Alpha(int i) => 1 / Math.Sqrt(Sigmas[i] * Sigmas[i] + 1);

    /// <summary>σ of the i-th level.</summary>
    public double Sigma(int i) => Sigmas[i] * Alpha(i);

    /// <summary>λ of the i-th level; +∞ where no noise is left.</summary>
    public double Lambda(int i) => -Math.Log(Sigmas[i]);

    internal override (double Signal, double Noise) LevelAt(int index) => (Alpha(index), Sigma(index));

    /// <summary>The clean sample the model's output stands for, at the i-th level.</summary>
    public Operand Original(Operand output, Operand sample, int i)
        => ModelPrediction.Limit(ModelPrediction.Original(Options.PredictionType, output, sample, Alpha(i), Sigma(i)), Options);
}
