namespace AnimateDiff.Noise;

/// <summary>
/// How much noise every training timestep carries: x_t = √ᾱ_t·x_0 + √(1−ᾱ_t)·ε (Ho et al. 2020, eq. 4).
/// Sampling and training read the same tables, so a model is never sampled on another schedule than it was trained on by accident.
/// </summary>
/// <remarks>
/// The tables are computed in single precision, as diffusers computes them: the samplers' timesteps are searched in them, and a more exact
/// table would give other timesteps.
/// </remarks>
public sealed class BetaSchedule
{
    /// <summary>AnimateDiff's schedule: linear, 0.00085 to 0.012, 1000 timesteps.</summary>
    public static BetaSchedule Default { get; } = new(BetaShape.Linear, 0.00085, 0.012);

    private readonly float[] _alphasCumprod;

    /// <summary>β_t, the variance added by timestep t, for t = 0 … <see cref="Count"/>−1.</summary>
    public IReadOnlyList<double> Betas { get; }

    /// <summary>ᾱ_t = ∏(1−β_s) for s ≤ t: the share of the signal's variance left at timestep t.</summary>
    public IReadOnlyList<double> AlphasCumprod { get; }

    /// <summary>
    /// √((1−ᾱ_t)/ᾱ_t), the noise level of timestep t when the signal is kept at unit scale. Where the last ᾱ was rescaled to zero the level
    /// would be infinite; as in diffusers it is then that of ᾱ = 2⁻²⁴, which is 4096.
    /// </summary>
    public IReadOnlyList<double> Sigmas { get; }

    /// <summary>Number of training timesteps.</summary>
    public int Count => _alphasCumprod.Length;

    /// <param name="shape">How β grows.</param>
    /// <param name="start">First β; not used by <see cref="BetaShape.SquaredcosCapV2"/>.</param>
    /// <param name="end">Last β; not used by <see cref="BetaShape.SquaredcosCapV2"/>.</param>
    /// <param name="timesteps">Number of training timesteps.</param>
    /// <param name="rescaleZeroSnr">Shift and scale √ᾱ so that the last timestep holds no signal at all (Lin et al. 2023, algorithm 1).</param>
    public BetaSchedule(BetaShape shape, double start, double end, int timesteps = 1000, bool rescaleZeroSnr = false)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var betas = shape switch
        {
            BetaShape.Linear => linspace(start, end, timesteps, ScalarType.Float32),
            BetaShape.ScaledLinear => linspace(Math.Sqrt(start), Math.Sqrt(end), timesteps, ScalarType.Float32).Square(),
            _ => tensor(CosineBetas(timesteps)),
        };
        if (rescaleZeroSnr)
            betas = WithZeroTerminalSnr(betas);
        var alphasCumprod = betas.OneMinus().cumprod(0);
        _alphasCumprod = [.. alphasCumprod.data<float>()];
        Betas = Doubles(betas);
        AlphasCumprod = Doubles(alphasCumprod);
        if (rescaleZeroSnr)
            alphasCumprod[-1].Fill(Math.Pow(2, -24));
        Sigmas = Doubles((alphasCumprod.OneMinus() / alphasCumprod).sqrt());
    }

    /// <summary>Noisy samples for training: √ᾱ_t·x_0 + √(1−ᾱ_t)·ε.</summary>
    /// <param name="original">Clean latents x_0, <c>[B, …]</c>.</param>
    /// <param name="noise">Unit noise ε of the same shape.</param>
    /// <param name="timesteps">Whole timesteps <c>[B]</c>, each from 0 to <see cref="Count"/>−1.</param>
    /// <returns>Noisy latents of the shape and type of <paramref name="original"/>.</returns>
    public Tensor AddNoise(Tensor original, Tensor noise, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        var alphas = AlphasAt(timesteps, original);
        return (alphas.sqrt() * original).Add(alphas.OneMinus().sqrt() * noise).to(original.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Noise ε' that leaves only a part of the signal: with it <see cref="AddNoise"/> gives u·√ᾱ_t·x_0 + √(1−u²·ᾱ_t)·ε, which is noisier than the timestep says, and
    /// what it takes off still leads to the whole of x_0.
    /// </summary>
    /// <param name="original">Clean latents x_0, <c>[B, …]</c>.</param>
    /// <param name="noise">Unit noise ε of the same shape.</param>
    /// <param name="timesteps">Whole timesteps <c>[B]</c>, each from 0 to <see cref="Count"/>−1.</param>
    /// <param name="shares">The part u of the signal that is left, <c>[B]</c>, each from 0 to 1; 1 returns ε.</param>
    /// <returns>Noise of the shape and type of <paramref name="noise"/>.</returns>
    public Tensor NoiseOver(Tensor original, Tensor noise, Tensor timesteps, Tensor shares)
    {
        using var scope = NewDisposeScope();
        var alphas = AlphasAt(timesteps, original);
        var left = shares.view(alphas.shape);
        var weaker = (left.Square() * alphas).OneMinus().sqrt() * noise - alphas.sqrt() * left.OneMinus() * original;
        return (weaker / alphas.OneMinus().sqrt()).to(noise.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>What a v-prediction model is trained on: √ᾱ_t·ε − √(1−ᾱ_t)·x_0 (Salimans and Ho 2022, appendix D).</summary>
    /// <param name="original">Clean latents x_0, <c>[B, …]</c>.</param>
    /// <param name="noise">Unit noise ε of the same shape.</param>
    /// <param name="timesteps">Whole timesteps <c>[B]</c>, each from 0 to <see cref="Count"/>−1.</param>
    /// <returns>Velocities of the shape and type of <paramref name="original"/>.</returns>
    public Tensor Velocity(Tensor original, Tensor noise, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        var alphas = AlphasAt(timesteps, original);
        return (alphas.sqrt() * noise - alphas.OneMinus().sqrt() * original).to(original.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>Signal-to-noise ratio ᾱ_t/(1−ᾱ_t), as min-SNR loss weights use it (Hang et al. 2023).</summary>
    /// <param name="timesteps">Whole timesteps <c>[B]</c>, each from 0 to <see cref="Count"/>−1.</param>
    /// <returns>Ratios <c>[B]</c> in single precision, on the device of <paramref name="timesteps"/>.</returns>
    public Tensor Snr(Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        var alphas = AlphasAt(timesteps, timesteps);
        return (alphas / alphas.OneMinus()).MoveToOuterDisposeScope();
    }

    // [B] → [B, 1, …, 1] beside a tensor of the same rank
    private Tensor AlphasAt(Tensor timesteps, Tensor beside)
    {
        var shape = new long[beside.dim()];
        Array.Fill(shape, 1);
        shape[0] = timesteps.numel();
        var index = timesteps.to(ScalarType.Int64).to(beside.device);
        return tensor(_alphasCumprod, device: beside.device).index_select(0, index.flatten()).view(shape);
    }

    // Nichol and Dhariwal 2021, eq. 17: ᾱ(t) = cos²((t + s)/(1 + s)·π/2), with β capped at 0.999
    private static float[] CosineBetas(int count)
    {
        static double AlphaBar(double t) => Math.Pow(Math.Cos((t + 0.008) / 1.008 * Math.PI / 2), 2);
        return [.. Enumerable.Range(0, count).Select(i => (float)Math.Min(1 - AlphaBar((i + 1.0) / count) / AlphaBar((double)i / count), 0.999))];
    }

    private static Tensor WithZeroTerminalSnr(Tensor betas)
    {
        var root = betas.OneMinus().cumprod(0).sqrt();
        var (first, last) = (root[0].clone(), root[-1].clone());
        var alphasCumprod = ((root - last) * (first / (first - last))).Square();
        var alphas = alphasCumprod.narrow(0, 1, alphasCumprod.numel() - 1) / alphasCumprod.narrow(0, 0, alphasCumprod.numel() - 1);
        return cat([alphasCumprod.narrow(0, 0, 1), alphas]).OneMinus();
    }

    private static double[] Doubles(Tensor values) => [.. values.data<float>().Select(value => (double)value)];
}
