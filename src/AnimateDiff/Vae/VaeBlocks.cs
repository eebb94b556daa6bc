using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Vae;

/// <summary>One level of the encoder: resnets, then half the size.</summary>
internal sealed class EncoderBlock : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock2D> resnets;
    private readonly ModuleList<Downsample2D>? downsamplers;

    public EncoderBlock(long inChannels, long outChannels, bool downsample, VaeConfig config, Device? device) : base(nameof(EncoderBlock))
    {
        resnets = VaeResnets.Make(config.LayersPerBlock, inChannels, outChannels, config, device);
        if (downsample)
            downsamplers = new(new Downsample2D(outChannels, padAfter: true, device));
        RegisterComponents();
    }

    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        var hidden = resnets.Run(images);
        return (downsamplers is null ? hidden : hidden.Then(downsamplers[0].call)).MoveToOuterDisposeScope();
    }
}

/// <summary>One level of the decoder: resnets, then twice the size.</summary>
internal sealed class DecoderBlock : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock2D> resnets;
    private readonly ModuleList<Upsample2D>? upsamplers;

    public DecoderBlock(long inChannels, long outChannels, bool upsample, VaeConfig config, Device? device) : base(nameof(DecoderBlock))
    {
        resnets = VaeResnets.Make(config.LayersPerBlock + 1, inChannels, outChannels, config, device);
        if (upsample)
            upsamplers = new(new Upsample2D(outChannels, device));
        RegisterComponents();
    }

    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        var hidden = resnets.Run(images);
        if (upsamplers is not null)
            hidden = hidden.Then(x => upsamplers[0].call(x, (2 * x.shape[2], 2 * x.shape[3])));
        return hidden.MoveToOuterDisposeScope();
    }
}

/// <summary>The innermost level: a resnet, attention within the image, a resnet.</summary>
internal sealed class VaeMidBlock : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock2D> resnets;
    private readonly ModuleList<VaeAttention> attentions;

    public VaeMidBlock(long channels, VaeConfig config, Device? device) : base(nameof(VaeMidBlock))
    {
        resnets = VaeResnets.Make(2, channels, channels, config, device);
        attentions = new(new VaeAttention(channels, config, device));
        RegisterComponents();
    }

    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        var hidden = resnets[0].call(images, null, images.shape[0]).Then(attentions[0].call);
        return hidden.Then(x => resnets[1].call(x, null, x.shape[0])).MoveToOuterDisposeScope();
    }
}

/// <summary>Attention of one head among the places of each image.</summary>
internal sealed class VaeAttention : nn.Module<Tensor, Tensor>
{
    private readonly GroupNorm group_norm;
    private readonly Linear to_q;
    private readonly Linear to_k;
    private readonly Linear to_v;
    private readonly ModuleList<Linear> to_out;

    public VaeAttention(long channels, VaeConfig config, Device? device) : base(nameof(VaeAttention))
    {
        group_norm = Norms.GroupNorm(config.NormNumGroups, channels, VaeResnets.Eps, device);
        to_q = new Linear(channels, channels, device: device);
        to_k = new Linear(channels, channels, device: device);
        to_v = new Linear(channels, channels, device: device);
        to_out = new(new Linear(channels, channels, device: device));
        RegisterComponents();
    }

    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        var tokens = group_norm.Over(images, images.shape[0]).Then(ImageTokens.ToTokens).Then(x => x.unsqueeze(1));           // [N, 1 head, H·W, C]
        var mixed = nn.functional.scaled_dot_product_attention(to_q.call(tokens), to_k.call(tokens), to_v.call(tokens));
        return to_out[0].call(mixed).Then(x => x.ToImages(images)).Plus(images).MoveToOuterDisposeScope();
    }
}

/// <summary>Resnets without time, as both halves of the autoencoder have them.</summary>
internal static class VaeResnets
{
    /// <summary>ε of every normalisation of the VAE.</summary>
    public const double Eps = 1e-6;

    public static ModuleList<ResnetBlock2D> Make(int count, long inChannels, long outChannels, VaeConfig config, Device? device)
    {
        ResnetBlock2D Resnet(long channels) => new(channels, outChannels, timeChannels: null, config.NormNumGroups, Eps, device);
        return new([.. Enumerable.Range(0, count).Select(i => Resnet(i == 0 ? inChannels : outChannels))]);
    }

    public static Tensor Run(this ModuleList<ResnetBlock2D> resnets, Tensor images)
    {
        var hidden = images.alias();
        foreach (var resnet in resnets)
            hidden = hidden.Then(x => resnet.call(x, null, x.shape[0]));
        return hidden;
    }
}
