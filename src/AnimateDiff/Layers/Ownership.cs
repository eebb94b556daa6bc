namespace AnimateDiff.Layers;

/// <summary>
/// Steps for a tensor that nobody else holds, such as the result of a layer: it is let go of, or written over, as soon as the step has used it.
/// A block's peak memory is then its widest step, not the sum of its steps. With gradients on nothing is written over; autograd keeps what it needs.
/// </summary>
internal static class Ownership
{
    /// <summary><paramref name="step"/> of <paramref name="own"/>, which is let go of.</summary>
    public static Tensor Then(this Tensor own, Func<Tensor, Tensor> step)
    {
        var result = step(own);
        if (!ReferenceEquals(result, own))
            own.Dispose();
        return result;
    }

    /// <summary>The sum, over <paramref name="own"/> where no gradient is wanted. <paramref name="other"/> may broadcast.</summary>
    public static Tensor Plus(this Tensor own, Tensor other)
        => is_grad_enabled() ? own.Then(tensor => tensor.Add(other)) : own.add_(other, Scalars.One);

    /// <summary>The sum of a branch and what it branched from, which both are let go of.</summary>
    public static Tensor PlusResidual(this Tensor branch, Tensor residual)
    {
        var sum = branch.Plus(residual);
        residual.Dispose();
        return sum;
    }

    /// <summary>x·σ(x), over <paramref name="own"/> where no gradient is wanted.</summary>
    public static Tensor Silu(this Tensor own)
        => is_grad_enabled() ? own.Then(tensor => tensor.silu()) : own.silu_();
}
