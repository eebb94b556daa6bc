using TorchSharp.Modules;

namespace AnimateDiff.Layers;

/// <summary>Half the size by a strided convolution. The VAE pads only right and below.</summary>
internal sealed class Downsample2D : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv;
    private readonly bool _padAfter;

    public Downsample2D(long channels, bool padAfter = false, Device? device = null) : base(nameof(Downsample2D))
    {
        _padAfter = padAfter;
        conv = new Conv2d(channels, channels, 3, stride: 2, padding: padAfter ? 0 : 1, device: device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor images)
        => _padAfter ? nn.functional.pad(images, [0, 1, 0, 1]).Then(conv.call) : conv.call(images);
}

/// <summary>Nearest neighbours at a given size, then a convolution.</summary>
internal sealed class Upsample2D : nn.Module<Tensor, (long Height, long Width), Tensor>
{
    private readonly Conv2d conv;

    public Upsample2D(long channels, Device? device = null) : base(nameof(Upsample2D))
    {
        conv = new Conv2d(channels, channels, 3, padding: 1, device: device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor images, (long Height, long Width) size)
        => nn.functional.interpolate(images, size: [size.Height, size.Width], mode: InterpolationMode.Nearest).Then(conv.call);
}
