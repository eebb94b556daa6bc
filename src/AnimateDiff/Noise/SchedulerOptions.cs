namespace AnimateDiff.Noise;

/// <summary>
/// Settings of the samplers under diffusers' configuration names (<c>UseKarrasSigmas</c> is <c>use_karras_sigmas</c>). Each sampler has only
/// some of them, with its own defaults: <see cref="SchedulerInfo.Defaults"/>.
/// </summary>
public sealed record SchedulerOptions
{
    /// <summary>Number of timesteps the model was trained on.</summary>
    public int NumTrainTimesteps { get; init; } = 1000;

    /// <summary>How β grows over them.</summary>
    public BetaShape BetaSchedule { get; init; } = BetaShape.Linear;

    /// <summary>First β, between 0 and 1.</summary>
    public double BetaStart { get; init; } = 0.00085;

    /// <summary>Last β, between 0 and 1.</summary>
    public double BetaEnd { get; init; } = 0.012;

    /// <summary>Rescale the schedule so that the last timestep holds no signal; for models trained that way, which predict v.</summary>
    public bool RescaleBetasZeroSnr { get; init; }

    /// <summary>What the model predicts.</summary>
    public PredictionType PredictionType { get; init; } = PredictionType.Epsilon;

    /// <summary>Which training timesteps the steps fall on.</summary>
    public TimestepSpacing TimestepSpacing { get; init; } = TimestepSpacing.Leading;

    /// <summary>Added to every timestep of the leading spacing; Stable Diffusion uses 1.</summary>
    public int StepsOffset { get; init; }

    /// <summary>End on ᾱ = 1, without noise, rather than on that of timestep 0.</summary>
    public bool SetAlphaToOne { get; init; } = true;

    /// <summary>DDIM's η: 0 is deterministic, 1 adds as much noise as DDPM.</summary>
    public double Eta { get; init; }

    /// <summary>Variance of the noise DDPM adds.</summary>
    public DdpmVariance VarianceType { get; init; } = DdpmVariance.FixedSmall;

    /// <summary>Clip the predicted x_0 to ±<see cref="ClipSampleRange"/>; for pixel models, it spoils latents.</summary>
    public bool ClipSample { get; init; }

    /// <summary>Range of that clipping.</summary>
    public double ClipSampleRange { get; init; } = 1;

    /// <summary>Dynamic thresholding of the predicted x_0 (Saharia et al. 2022, section 2.3); for pixel models.</summary>
    public bool Thresholding { get; init; }

    /// <summary>Share of the values that lie below the threshold.</summary>
    public double DynamicThresholdingRatio { get; init; } = 0.995;

    /// <summary>Largest threshold, at least 1.</summary>
    public double SampleMaxValue { get; init; } = 1;

    /// <summary>Noise levels by Karras et al. 2022, eq. 5, with ρ = 7.</summary>
    public bool UseKarrasSigmas { get; init; }

    /// <summary>Noise levels evenly spread in their logarithm.</summary>
    public bool UseExponentialSigmas { get; init; }

    /// <summary>Noise levels at the quantiles of Beta(0.6, 0.6) (Lee et al. 2024).</summary>
    public bool UseBetaSigmas { get; init; }

    /// <summary>Noise levels evenly spread in log-SNR, on whole timesteps (Lu et al. 2022).</summary>
    public bool UseLuLambdas { get; init; }

    /// <summary>Smallest level of the Karras, exponential and beta spacings; null for that of the schedule.</summary>
    public double? SigmaMin { get; init; }

    /// <summary>Largest level of the Karras, exponential and beta spacings; null for that of the schedule.</summary>
    public double? SigmaMax { get; init; }

    /// <summary>How levels between whole timesteps are found.</summary>
    public SigmaInterpolation InterpolationType { get; init; } = SigmaInterpolation.Linear;

    /// <summary>The noise level after the last step.</summary>
    public FinalSigmas FinalSigmasType { get; init; } = FinalSigmas.Zero;

    /// <summary>Order of a solver, 1 to 3; 2 is best with guidance.</summary>
    public int SolverOrder { get; init; } = 2;

    /// <summary>Which equation a DPM-Solver integrates.</summary>
    public DpmAlgorithm AlgorithmType { get; init; } = DpmAlgorithm.Ode;

    /// <summary>Form of the solver's higher-order terms.</summary>
    public SolverType SolverType { get; init; } = SolverType.Midpoint;

    /// <summary>Lower the solver's order in the last steps, which keeps short runs stable.</summary>
    public bool LowerOrderFinal { get; init; } = true;

    /// <summary>Take the last step with order 1.</summary>
    public bool EulerAtFinal { get; init; }

    /// <summary>Skip the timesteps whose log-SNR ln(√ᾱ/√(1−ᾱ)) is below this; −5.1 with the cosine schedule, −∞ for none.</summary>
    public double LambdaMinClipped { get; init; } = double.NegativeInfinity;

    /// <summary>Start PNDM with multistep rather than with three Runge-Kutta steps of four evaluations each.</summary>
    public bool SkipPrkSteps { get; init; } = true;

    /// <summary>Number of steps the latent consistency model was distilled on; the steps are chosen from these.</summary>
    public int OriginalInferenceSteps { get; init; } = 50;

    /// <summary>Factor on the timestep in the consistency model's boundary condition.</summary>
    public double TimestepScaling { get; init; } = 10;
}
