using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Finishing;

/// <summary>Shape of a generator of the ESRGAN family.</summary>
/// <param name="Shrink">How often the input is folded into channels before, 1, 2 or 4: the result is 4 / Shrink times as large.</param>
/// <param name="Channels">Channels between blocks, usually 64.</param>
/// <param name="Growth">Channels each convolution of a dense block adds, usually 32.</param>
/// <param name="Blocks">Number of blocks, usually 23 or 6.</param>
internal sealed record RrdbConfig(int Shrink, long Channels, long Growth, int Blocks)
{
    /// <summary>How many times larger the result is.</summary>
    public int Scale => 4 / Shrink;
}

/// <summary>The generator of ESRGAN (Wang et al. 2018, arXiv 1809.00219, §3.1) and Real-ESRGAN, under the names of the latter.</summary>
internal sealed class RrdbNet : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv_first;
    private readonly ModuleList<Rrdb> body = [];
    private readonly Conv2d conv_body;
    private readonly Conv2d conv_up1;
    private readonly Conv2d conv_up2;
    private readonly Conv2d conv_hr;
    private readonly Conv2d conv_last;

    public RrdbNet(RrdbConfig config, Device? device = null) : base(nameof(RrdbNet))
    {
        Config = config;
        conv_first = Convolution(3 * config.Shrink * config.Shrink, config.Channels, device);
        for (var block = 0; block < config.Blocks; block++)
            body.Add(new Rrdb(config.Channels, config.Growth, device));
        conv_body = Convolution(config.Channels, config.Channels, device);
        conv_up1 = Convolution(config.Channels, config.Channels, device);
        conv_up2 = Convolution(config.Channels, config.Channels, device);
        conv_hr = Convolution(config.Channels, config.Channels, device);
        conv_last = Convolution(config.Channels, 3, device);
        RegisterComponents();
    }

    /// <summary>Its shape.</summary>
    public RrdbConfig Config { get; }

    /// <param name="images">[N, 3, H, W] in 0…1; H and W multiples of <see cref="RrdbConfig.Shrink"/>.</param>
    /// <returns>[N, 3, s·H, s·W] in about 0…1, s being <see cref="RrdbConfig.Scale"/>.</returns>
    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        // 1. pixels → features
        var shrink = Config.Shrink;
        var (n, h, w) = (images.shape[0], images.shape[2] / shrink, images.shape[3] / shrink);
        var folded = images.reshape(n, 3, h, shrink, w, shrink).permute(0, 1, 3, 5, 2, 4).reshape(n, 3 * shrink * shrink, h, w);
        var first = conv_first.call(folded);
        // 2. blocks beside a shortcut
        var hidden = first.alias();
        foreach (var block in body)
            hidden = hidden.Then(block.call);
        hidden = hidden.Then(conv_body.call).Plus(first);
        // 3. twice as large, twice
        foreach (var conv in new[] { conv_up1, conv_up2 })
            hidden = hidden.Then(x => nn.functional.interpolate(x, size: [2 * x.shape[2], 2 * x.shape[3]], mode: InterpolationMode.Nearest)).Then(conv.call).Then(Leaky);
        // 4. features → pixels
        return hidden.Then(conv_hr.call).Then(Leaky).Then(conv_last.call).MoveToOuterDisposeScope();
    }

    internal static Conv2d Convolution(long from, long to, Device? device) => new Conv2d(from, to, 3, padding: 1, device: device);

    /// <summary>max(x, x/5)</summary>
    internal static Tensor Leaky(Tensor x)
    {
        using var less = x.Times(0.2);
        return maximum(x, less);
    }
}

/// <summary>Three dense blocks beside a shortcut.</summary>
internal sealed class Rrdb : nn.Module<Tensor, Tensor>
{
    private readonly ResidualDenseBlock rdb1;
    private readonly ResidualDenseBlock rdb2;
    private readonly ResidualDenseBlock rdb3;

    public Rrdb(long channels, long growth, Device? device) : base(nameof(Rrdb))
    {
        (rdb1, rdb2, rdb3) = (new(channels, growth, device), new(channels, growth, device), new(channels, growth, device));
        RegisterComponents();
    }

    public override Tensor forward(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        return rdb1.call(hidden).Then(rdb2.call).Then(rdb3.call).Times(0.2).Add(hidden).MoveToOuterDisposeScope();
    }
}

/// <summary>Five convolutions, each seeing what all before it have found, beside a shortcut.</summary>
internal sealed class ResidualDenseBlock : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv1;
    private readonly Conv2d conv2;
    private readonly Conv2d conv3;
    private readonly Conv2d conv4;
    private readonly Conv2d conv5;

    public ResidualDenseBlock(long channels, long growth, Device? device) : base(nameof(ResidualDenseBlock))
    {
        conv1 = RrdbNet.Convolution(channels, growth, device);
        conv2 = RrdbNet.Convolution(channels + growth, growth, device);
        conv3 = RrdbNet.Convolution(channels + 2 * growth, growth, device);
        conv4 = RrdbNet.Convolution(channels + 3 * growth, growth, device);
        conv5 = RrdbNet.Convolution(channels + 4 * growth, channels, device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        var seen = hidden.alias();
        foreach (var conv in new[] { conv1, conv2, conv3, conv4 })
            seen = seen.Then(x => cat([x, conv.call(x).Then(RrdbNet.Leaky)], 1));
        return conv5.call(seen).Times(0.2).Add(hidden).MoveToOuterDisposeScope();
    }
}
