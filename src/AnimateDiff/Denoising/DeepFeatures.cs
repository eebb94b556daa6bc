using AnimateDiff.Control;

namespace AnimateDiff.Denoising;

/// <summary>
/// What a whole call of a UNet leaves for later calls that run its outermost layers alone: what comes up from the inner layers, and what control added to
/// the outer outputs of the way down. Empty, the next call is a whole one and fills it.
/// </summary>
/// <param name="skips">Outputs of the way down that are computed in every call, outermost first.</param>
internal sealed class DeepFeatures(int skips) : IDisposable
{
    private Tensor[] _control = [];

    /// <summary>Input of the first layer on the way up that runs in every call, [B·F, C, h, w]; null when the next call is a whole one.</summary>
    public Tensor? Kept { get; private set; }

    /// <summary>Outputs of the way down that the next call computes.</summary>
    public int Skips => Kept is null ? int.MaxValue : skips;

    /// <summary>Whole calls so far.</summary>
    public int WholeCalls { get; private set; }

    /// <summary>Takes note of what comes up, if it is there that a later call begins.</summary>
    /// <param name="hidden">[B·F, C, h, w]</param>
    /// <param name="remaining">Outputs of the way down that are not yet taken up.</param>
    public void Keep(Tensor hidden, int remaining)
    {
        if (remaining != skips || Kept is not null)
            return;
        Kept = hidden.alias().DetachFromDisposeScope();
        WholeCalls++;
    }

    /// <summary>Takes note of what control adds.</summary>
    public void Keep(ControlResiduals? control) => _control = [.. (control?.Down ?? []).Take(skips).Select(residual => residual.alias().DetachFromDisposeScope())];

    /// <summary>The outputs of the way down with what control added in the last whole call.</summary>
    public Stack<Tensor> AddControlTo(Stack<Tensor> outer) => _control.Length == 0 ? outer : ControlResiduals.AddTo(outer, _control);

    /// <summary>Lets go of everything: the next call is a whole one.</summary>
    public void Clear()
    {
        Kept?.Dispose();
        Kept = null;
        foreach (var residual in _control)
            residual.Dispose();
        _control = [];
    }

    public void Dispose() => Clear();
}
