namespace AnimateDiff.Noise.Samplers;

/// <summary>
/// The step DPM-Solver++ takes from level s to level t, for the ODE and the SDE alike (Lu et al. 2022, https://arxiv.org/abs/2211.01095,
/// section 4 and appendix B; the SDE decays twice as fast, so its H is 2h):
/// <code>x_t = decay·x_s + α_t·(φ1·D0 + w1·D1 + φ3·D2) + σ_t·√(1−e^{−2h})·z,  h = λ_t − λ_s</code>
/// D0 is the predicted clean sample, D1 and D2 its first and second divided differences over λ/h.
/// </summary>
internal sealed class DpmSolverUpdate(LogSnrScheduler scheduler, int from, int to)
{
    private readonly bool _sde = scheduler.Options.AlgorithmType == DpmAlgorithm.Sde;

    private double Rate => _sde ? 2 * Step : Step;

    /// <summary>h = λ_t − λ_s; +∞ where t is free of noise.</summary>
    public double Step => scheduler.Lambda(to) - scheduler.Lambda(from);

    private double Decay => scheduler.Sigma(to) / scheduler.Sigma(from) * (_sde ? Math.Exp(-Step) : 1);

    private double Phi1 => 1 - Math.Exp(-Rate);

    /// <summary>Weight of D1 by the exact integral, which <c>solver_type</c> heun and the third order use.</summary>
    public double Phi2 => 1 - Phi1 / Rate;

    /// <summary>Weight of D2; of the ODE only.</summary>
    public double Phi3 => 0.5 - (Rate - Phi1) / (Rate * Rate);

    /// <summary>Weight of D1 in the second order.</summary>
    public double SecondOrder => scheduler.Options.SolverType == SolverType.Heun ? Phi2 : Phi1 / 2;

    /// <summary>x_t of the first order; add <see cref="Term"/>s for more.</summary>
    public Operand FirstOrder(Operand sample, Operand d0, Operand? noise)
    {
        var next = Decay * sample + scheduler.Alpha(to) * Phi1 * d0;
        return noise is null ? next : next + scheduler.Sigma(to) * Math.Sqrt(1 - Math.Exp(-2 * Step)) * noise;
    }

    /// <summary>α_t·weight·difference.</summary>
    public Operand Term(double weight, Operand difference) => scheduler.Alpha(to) * weight * difference;
}
