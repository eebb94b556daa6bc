namespace AnimateDiff.Benchmarks;

/// <summary>
/// A module's tensors by name, for the naive reference. Windows of convolutions are laid out as files have them: one that is channels-last, as this project's are,
/// would make libtorch's convolutions channels-last too. All others are the module's own memory.
/// </summary>
internal sealed class NaiveWeights : Dictionary<string, Tensor>, IDisposable
{
    public NaiveWeights(nn.Module module)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (name, tensor) in module.state_dict())
            Add(name, tensor.detach().contiguous().DetachFromDisposeScope());
    }

    public void Dispose()
    {
        foreach (var tensor in Values)
            tensor.Dispose();
    }
}
