using TorchSharp.Modules;
using TorchSharp.Utils;

namespace AnimateDiff.Layers;

/// <summary>
/// y = x·Wᵀ + b, with the names and the initial values of PyTorch's <c>Linear</c>. On the CPU many rows go as a 1×1 convolution, for which libtorch asks oneDNN: its AVX-512
/// kernels are twice as fast in fp32 as MKL's, which stay at AVX2 on processors that are not Intel's (<c>AnimateDiff.Benchmarks linear</c> measures both).
/// </summary>
internal sealed class Linear : nn.Module<Tensor, Tensor>
{
    // On one thread libtorch keeps 1×1 convolutions of fewer images from oneDNN.
    private const long Images = 16;

    // Below, packing the weights costs more than is won.
    private const long FewRows = 256;

    [ComponentName(Name = nameof(weight))]
    private Parameter _weight;

    [ComponentName(Name = nameof(bias))]
    private Parameter? _bias;

    /// <param name="inputs">Channels of x.</param>
    /// <param name="outputs">Channels of y.</param>
    /// <param name="hasBias">Whether there is a b.</param>
    /// <param name="device">Where the weights are made.</param>
    public Linear(long inputs, long outputs, bool hasBias = true, Device? device = null) : base(nameof(Linear))
    {
        var bound = 1 / Math.Sqrt(inputs);
        _weight = new Parameter(nn.init.uniform_(empty([outputs, inputs], device: device), -bound, bound));
        _bias = hasBias ? new Parameter(nn.init.uniform_(empty([outputs], device: device), -bound, bound)) : null;
        RegisterComponents();
    }

    /// <summary>W, [outputs, inputs]. What is set is the layer's from then on.</summary>
    public Parameter weight
    {
        get => _weight;
        set => Replace(ref _weight!, value, nameof(weight));
    }

    /// <summary>b, [outputs].</summary>
    public Parameter? bias
    {
        get => _bias;
        set => Replace(ref _bias, value, nameof(bias));
    }

    /// <param name="x">[…, inputs]</param>
    /// <returns>[…, outputs]</returns>
    public override Tensor forward(Tensor x)
    {
        var (outputs, inputs) = (_weight.shape[0], _weight.shape[1]);
        var rows = x.numel() / inputs;
        // The gradients of bf16 convolutions are slower than those of bf16 products.
        if (x.device_type != DeviceType.CPU || rows < FewRows || rows % Images != 0 || (x.dtype != ScalarType.Float32 && is_grad_enabled()))
            return nn.functional.linear(x, _weight, _bias);
        using var scope = NewDisposeScope();
        var images = x.reshape(Images, rows / Images, 1, inputs).permute(0, 3, 1, 2);                        // [16, inputs, rows/16, 1], channels last
        var result = nn.functional.conv2d(images, _weight.view(outputs, inputs, 1, 1), _bias);
        return result.permute(0, 2, 3, 1).reshape([.. x.shape[..^1], outputs]).MoveToOuterDisposeScope();
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
