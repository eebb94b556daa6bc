namespace AnimateDiff.Control;

/// <summary>What control adds to a UNet: to each output of the way down that the way up takes up again, and to the middle block's.</summary>
/// <param name="Down">[B·F, C, H, W] each, outermost first.</param>
/// <param name="Mid">[B·F, C, h/8, w/8]</param>
internal sealed record ControlResiduals(IReadOnlyList<Tensor> Down, Tensor Mid) : IDisposable
{
    /// <summary>The sums of two networks' residuals, which both are let go of.</summary>
    public ControlResiduals Plus(ControlResiduals other)
    {
        using (this)
        using (other)
            return new([.. Down.Zip(other.Down, (own, more) => own.Add(more))], Mid.Add(other.Mid));
    }

    /// <summary>These with a weight for each frame of every clip, in place.</summary>
    public ControlResiduals Weighed(float[] frames)
    {
        using var scope = NewDisposeScope();
        var weights = tensor(frames, Mid.dtype, Mid.device).repeat(Mid.shape[0] / frames.Length).view(-1, 1, 1, 1);         // [B·F, 1, 1, 1]
        foreach (var residual in Down.Append(Mid))
            residual.mul_(weights);
        return this;
    }

    /// <summary>The UNet's outputs with these added; the old ones are let go of.</summary>
    /// <param name="skips">Outputs of the way down, the outermost at the bottom.</param>
    public Stack<Tensor> AddTo(Stack<Tensor> skips) => AddTo(skips, Down);

    /// <summary>The same with residuals alone, which stay the caller's.</summary>
    /// <param name="skips">Outputs of the way down, the outermost at the bottom.</param>
    /// <param name="residuals">As many, outermost first.</param>
    public static Stack<Tensor> AddTo(Stack<Tensor> skips, IReadOnlyList<Tensor> residuals)
    {
        if (skips.Count != residuals.Count)
            throw new ArgumentException($"The control has {residuals.Count} residuals for {skips.Count} outputs of the way down.", nameof(skips));
        var sums = new Stack<Tensor>();
        foreach (var (skip, residual) in skips.Reverse().Zip(residuals))
        {
            sums.Push(skip.Add(residual));
            skip.Dispose();
        }
        return sums;
    }

    public void Dispose()
    {
        foreach (var residual in Down)
            residual.Dispose();
        Mid.Dispose();
    }

    /// <summary>Hands the tensors to the dispose scope around the current one.</summary>
    public ControlResiduals MoveToOuterDisposeScope()
    {
        foreach (var residual in Down)
            residual.MoveToOuterDisposeScope();
        Mid.MoveToOuterDisposeScope();
        return this;
    }
}
