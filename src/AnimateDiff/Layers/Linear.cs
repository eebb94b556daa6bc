namespace AnimateDiff.Layers;

/// <summary>
/// y = x·Wᵀ + b, with the names and the initial values of PyTorch's <c>Linear</c>. On the CPU many rows go as a 1×1 convolution, for which libtorch asks oneDNN: its AVX-512
/// kernels are twice as fast in fp32 as MKL's, which stay at AVX2 on processors that are not Intel's (<c>AnimateDiff.Benchmarks linear</c> measures both).
/// </summary>
internal sealed class Linear : WeightedLayer
{
    // On one thread libtorch keeps 1×1 convolutions of fewer images from oneDNN.
    private const long Images = 16;

    // Below, packing the weights costs more than is won.
    private const long FewRows = 256;

    /// <param name="inputs">Channels of x.</param>
    /// <param name="outputs">Channels of y.</param>
    /// <param name="hasBias">Whether there is a b.</param>
    /// <param name="device">Where the weights are made.</param>
    public Linear(long inputs, long outputs, bool hasBias = true, Device? device = null) : base(nameof(Linear)) => Draw([outputs, inputs], hasBias, device);

    /// <param name="x">[…, inputs]</param>
    /// <returns>[…, outputs]</returns>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var (outputs, inputs, own) = (weight.shape[0], weight.shape[1], WeightFor(x));
        var rows = x.numel() / inputs;
        // The gradients of bf16 convolutions are slower than those of bf16 products.
        if (x.device_type != DeviceType.CPU || rows < FewRows || rows % Images != 0 || (x.dtype != ScalarType.Float32 && is_grad_enabled()))
            return nn.functional.linear(x, own, bias).MoveToOuterDisposeScope();
        var images = x.reshape(Images, rows / Images, 1, inputs).permute(0, 3, 1, 2);                        // [16, inputs, rows/16, 1], channels last
        var result = nn.functional.conv2d(images, own.view(outputs, inputs, 1, 1), bias);
        return result.permute(0, 2, 3, 1).reshape([.. x.shape[..^1], outputs]).MoveToOuterDisposeScope();
    }
}
