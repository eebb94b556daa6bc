using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Vae;

/// <summary>Images [N, 3, H, W] → moments before the quantising convolution [N, 8, H/8, W/8].</summary>
internal sealed class Encoder : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv_in;
    private readonly ModuleList<EncoderBlock> down_blocks;
    private readonly VaeMidBlock mid_block;
    private readonly GroupNorm conv_norm_out;
    private readonly Conv2d conv_out;

    public Encoder(VaeConfig config, Device? device) : base(nameof(Encoder))
    {
        var channels = config.BlockOutChannels;
        conv_in = new Conv2d(config.InChannels, channels[0], 3, padding: 1, device: device);
        down_blocks = new([.. channels.Select((own, i) => new EncoderBlock(channels[Math.Max(i - 1, 0)], own, downsample: i < channels.Count - 1, config, device))]);
        mid_block = new(channels[^1], config, device);
        conv_norm_out = Norms.GroupNorm(config.NormNumGroups, channels[^1], VaeResnets.Eps, device);
        conv_out = new Conv2d(channels[^1], 2 * config.LatentChannels, 3, padding: 1, device: device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        var hidden = conv_in.call(images);
        foreach (var block in down_blocks)
            hidden = hidden.Then(block.call);
        return hidden.Then(mid_block.call).Then(x => conv_norm_out.Over(x, x.shape[0])).Silu().Then(conv_out.call).MoveToOuterDisposeScope();
    }
}

/// <summary>Latents [N, 4, h, w] → images [N, 3, 8h, 8w].</summary>
internal sealed class Decoder : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv_in;
    private readonly VaeMidBlock mid_block;
    private readonly ModuleList<DecoderBlock> up_blocks;
    private readonly GroupNorm conv_norm_out;
    private readonly Conv2d conv_out;

    public Decoder(VaeConfig config, Device? device) : base(nameof(Decoder))
    {
        int[] channels = [.. config.BlockOutChannels.Reverse()];
        conv_in = new Conv2d(config.LatentChannels, channels[0], 3, padding: 1, device: device);
        mid_block = new(channels[0], config, device);
        up_blocks = new([.. channels.Select((own, i) => new DecoderBlock(channels[Math.Max(i - 1, 0)], own, upsample: i < channels.Length - 1, config, device))]);
        conv_norm_out = Norms.GroupNorm(config.NormNumGroups, channels[^1], VaeResnets.Eps, device);
        conv_out = new Conv2d(channels[^1], config.OutChannels, 3, padding: 1, device: device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor latents)
    {
        using var scope = NewDisposeScope();
        var hidden = conv_in.call(latents).Then(mid_block.call);
        foreach (var block in up_blocks)
            hidden = hidden.Then(block.call);
        return hidden.Then(x => conv_norm_out.Over(x, x.shape[0])).Silu().Then(conv_out.call).MoveToOuterDisposeScope();
    }
}
