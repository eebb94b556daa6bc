using TorchSharp.Modules;
using TorchSharp.Utils;

namespace AnimateDiff.Layers;

/// <summary>
/// A layer of a weight and a bias that computes in its input's type, whatever the weight's: fp16 weights of a file can stay as they are in a model that computes in fp32. Every
/// call then has them in fp32 for as long as it takes, which is exact, and the model takes half the memory.
/// </summary>
/// <param name="name">Name of the type of module.</param>
internal abstract class WeightedLayer(string name) : nn.Module<Tensor, Tensor>(name)
{
    // Not private: what registers components does not look for a base class's private fields.
    [ComponentName(Name = nameof(weight))]
    private protected Parameter? _weight;

    [ComponentName(Name = nameof(bias))]
    private protected Parameter? _bias;

    /// <summary>[outputs, …]. What is set is the layer's from then on.</summary>
    public Parameter weight
    {
        get => _weight!;
        set => Replace(ref _weight, value, nameof(weight));
    }

    /// <summary>[outputs]</summary>
    public Parameter? bias
    {
        get => _bias;
        set => Replace(ref _bias, value, nameof(bias));
    }

    /// <summary>The weight in the type of <paramref name="x"/>, in the caller's dispose scope.</summary>
    protected Tensor WeightFor(Tensor x) => weight.dtype == x.dtype ? weight : weight.to(x.dtype);

    /// <summary>Draws both as PyTorch does: U(±1/√fan-in).</summary>
    /// <param name="shape">Of the weight.</param>
    /// <param name="hasBias">Whether there is a bias.</param>
    /// <param name="device">Where they are made.</param>
    protected void Draw(long[] shape, bool hasBias, Device? device)
    {
        var bound = 1 / Math.Sqrt(shape.Skip(1).Aggregate(1L, (product, size) => product * size));
        _weight = new Parameter(nn.init.uniform_(empty(shape, device: device), -bound, bound));
        _bias = hasBias ? new Parameter(nn.init.uniform_(empty([shape[0]], device: device), -bound, bound)) : null;
        RegisterComponents();
    }

    private void Replace(ref Parameter? own, Parameter? value, string name)
    {
        if (ReferenceEquals(own, value))
            return;
        own?.Dispose();
        own = (Parameter?)value?.DetachFromDisposeScope();
        ConditionallyRegisterParameter(name, own);
    }
}
