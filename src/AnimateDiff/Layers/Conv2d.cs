namespace AnimateDiff.Layers;

/// <summary>Images through square windows, with the names and the initial values of PyTorch's <c>Conv2d</c>.</summary>
internal sealed class Conv2d : WeightedLayer
{
    /// <param name="inputs">Channels of the images.</param>
    /// <param name="outputs">Channels of the result.</param>
    /// <param name="window">Pixels along a window's edge.</param>
    /// <param name="stride">Pixels between windows.</param>
    /// <param name="padding">Zeros around the images.</param>
    /// <param name="hasBias">Whether there is a bias.</param>
    /// <param name="device">Where the weights are made.</param>
    public Conv2d(long inputs, long outputs, long window, long stride = 1, long padding = 0, bool hasBias = true, Device? device = null) : base(nameof(Conv2d))
    {
        (Stride, Padding) = (stride, padding);
        Draw([outputs, inputs, window, window], hasBias, device);
    }

    /// <summary>Pixels between windows.</summary>
    public long Stride { get; }

    /// <summary>Zeros around the images.</summary>
    public long Padding { get; }

    /// <param name="images">[N, inputs, H, W]</param>
    /// <returns>[N, outputs, H', W']</returns>
    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        return nn.functional.conv2d(images, WeightFor(images), bias, strides: [Stride, Stride], padding: [Padding, Padding]).MoveToOuterDisposeScope();
    }
}
