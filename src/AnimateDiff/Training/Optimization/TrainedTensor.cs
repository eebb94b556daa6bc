using TorchSharp.Modules;

namespace AnimateDiff.Training.Optimization;

/// <summary>
/// One trained parameter with its optimizer state, all in fp32. A parameter in fp32 is its own weight and sums its own gradients; one in bf16 is a copy that
/// the model computes with, made anew after every step.
/// </summary>
internal sealed class TrainedTensor : IDisposable
{
    private readonly Parameter _parameter;
    private readonly Tensor? _gradient;                                                 // the fp32 sum beside a bf16 parameter
    private bool _exchanged;

    public TrainedTensor(string name, Parameter parameter, bool averaged)
    {
        using var _ = no_grad();
        (Name, _parameter) = (name, parameter);
        parameter.requires_grad = true;
        var copied = parameter.dtype != ScalarType.Float32;
        Tensor Zeros() => zeros_like(parameter, ScalarType.Float32).DetachFromDisposeScope();
        Master = (copied ? parameter.to(ScalarType.Float32) : parameter.detach()).DetachFromDisposeScope();
        (Mean, Square, _gradient) = (Zeros(), Zeros(), copied ? Zeros() : null);
        Average = averaged ? Master.clone().DetachFromDisposeScope() : null;
    }

    public string Name { get; }

    /// <summary>The weight.</summary>
    public Tensor Master { get; }

    /// <summary>First moment.</summary>
    public Tensor Mean { get; }

    /// <summary>Second moment.</summary>
    public Tensor Square { get; }

    /// <summary>Moving average of the weight, or null.</summary>
    public Tensor? Average { get; }

    /// <summary>Sum of the gradients of this step so far; null where there was none.</summary>
    public Tensor? Gradient => _gradient ?? _parameter.grad;

    /// <summary>Adds a backward pass's gradient to the fp32 sum.</summary>
    public void Collect()
    {
        if (_gradient is null || _parameter.grad is not { } gradient)
            return;
        _gradient.add_(gradient, Scalars.One);
        gradient.Dispose();
        _parameter.grad = null;
    }

    /// <summary>Forgets the gradients.</summary>
    public void Clear()
    {
        _gradient?.zero_();
        _parameter.grad = null;
    }

    /// <summary>Gives the model the weight.</summary>
    public void Publish()
    {
        if (_gradient is not null)
            _parameter.copy_(Master);
    }

    /// <summary>Gives the model the average, or the weight again.</summary>
    public void Show(bool averaged)
    {
        if (Average is null)
            return;
        if (_gradient is not null)
            _parameter.copy_(averaged ? Average : Master);
        else if (averaged != _exchanged)
        {
            using var kept = Master.clone();
            Master.copy_(Average);
            Average.copy_(kept);
            _exchanged = averaged;
        }
    }

    public IEnumerable<(string Name, Tensor Tensor)> State()
    {
        yield return ($"weight.{Name}", Master);
        yield return ($"mean.{Name}", Mean);
        yield return ($"square.{Name}", Square);
        if (Average is not null)
            yield return ($"average.{Name}", Average);
    }

    public void Dispose()
    {
        foreach (var (_, tensor) in State())
            tensor.Dispose();
        _gradient?.Dispose();
    }
}
