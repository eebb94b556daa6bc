using System.Text.Json.Serialization;

namespace AnimateDiff.Noise;

/// <summary>How β grows over the training timesteps (diffusers: <c>beta_schedule</c>).</summary>
public enum BetaShape
{
    /// <summary><c>linear</c>: AnimateDiff's.</summary>
    Linear,

    /// <summary><c>scaled_linear</c>: √β is linear; Stable Diffusion's own.</summary>
    ScaledLinear,

    /// <summary><c>squaredcos_cap_v2</c>: ᾱ follows a squared cosine (Nichol and Dhariwal 2021).</summary>
    SquaredcosCapV2,
}

/// <summary>What the model predicts (diffusers: <c>prediction_type</c>).</summary>
public enum PredictionType
{
    /// <summary><c>epsilon</c>: the noise ε.</summary>
    Epsilon,

    /// <summary><c>v_prediction</c>: the velocity √ᾱ·ε − √(1−ᾱ)·x_0.</summary>
    VPrediction,

    /// <summary><c>sample</c>: the clean sample x_0.</summary>
    Sample,
}

/// <summary>Which training timesteps the steps fall on (diffusers: <c>timestep_spacing</c>; Lin et al. 2023, table 2).</summary>
public enum TimestepSpacing
{
    /// <summary><c>leading</c>: multiples of ⌊T/steps⌋ from zero up, plus <c>steps_offset</c>; never reaches the last timestep.</summary>
    Leading,

    /// <summary><c>trailing</c>: T/steps apart from the last timestep down.</summary>
    Trailing,

    /// <summary><c>linspace</c>: evenly spread from the first to the last timestep.</summary>
    Linspace,
}

/// <summary>The noise level after the last step (diffusers: <c>final_sigmas_type</c>).</summary>
public enum FinalSigmas
{
    /// <summary><c>zero</c>: none.</summary>
    Zero,

    /// <summary><c>sigma_min</c>: that of timestep 0.</summary>
    SigmaMin,
}

/// <summary>How noise levels between timesteps are found (diffusers: <c>interpolation_type</c>).</summary>
public enum SigmaInterpolation
{
    /// <summary><c>linear</c> between the two nearest timesteps.</summary>
    Linear,

    /// <summary><c>log_linear</c>: evenly spread logarithms from the largest to the smallest level.</summary>
    LogLinear,
}

/// <summary>Which equation a DPM-Solver integrates (diffusers: <c>algorithm_type</c>).</summary>
public enum DpmAlgorithm
{
    /// <summary><c>dpmsolver++</c>: the probability-flow ODE, deterministic.</summary>
    [JsonStringEnumMemberName("dpmsolver++")]
    Ode,

    /// <summary><c>sde-dpmsolver++</c>: the reverse SDE, with fresh noise in every step.</summary>
    [JsonStringEnumMemberName("sde-dpmsolver++")]
    Sde,
}

/// <summary>Form of a solver's higher-order terms (diffusers: <c>solver_type</c>).</summary>
public enum SolverType
{
    /// <summary><c>midpoint</c> (DPM-Solver).</summary>
    Midpoint,

    /// <summary><c>heun</c> (DPM-Solver).</summary>
    Heun,

    /// <summary><c>bh1</c>: B(h) = h (UniPC).</summary>
    Bh1,

    /// <summary><c>bh2</c>: B(h) = eʰ − 1 (UniPC).</summary>
    Bh2,
}

/// <summary>Variance of the noise DDPM adds (diffusers: <c>variance_type</c>).</summary>
public enum DdpmVariance
{
    /// <summary><c>fixed_small</c>: the posterior variance β̃.</summary>
    FixedSmall,

    /// <summary><c>fixed_small_log</c>: β̃ by way of its logarithm; the same noise.</summary>
    FixedSmallLog,

    /// <summary><c>fixed_large</c>: β itself.</summary>
    FixedLarge,
}
