using AnimateDiff.Layers;
using AnimateDiff.Vae;

namespace AnimateDiff.Benchmarks;

/// <summary>The VAE's decoding as diffusers' AnimateDiff pipeline does it eagerly: 16 frames at once, the whole clip as one tensor at the end.</summary>
/// <param name="weights">Of an <see cref="AutoencoderKL"/>, by name; they stay its own.</param>
/// <param name="config">Its shape.</param>
internal sealed class NaiveVae(IReadOnlyDictionary<string, Tensor> weights, VaeConfig config)
{
    private const double Eps = 1e-6;
    private const int FramesAtOnce = 16;

    private readonly Naive _layers = new(weights, config.NormNumGroups);

    /// <summary>[1, 4, F, h, w] as the UNet has them → [1, 3, F, 8h, 8w] in fp32.</summary>
    public Tensor Decode(Tensor latents)
    {
        using var scope = NewDisposeScope();
        var frames = latents.Times(1 / config.ScalingFactor).permute(0, 2, 1, 3, 4).reshape(-1, latents.shape[1], latents.shape[3], latents.shape[4]);
        var chunks = new List<Tensor>();
        for (var first = 0L; first < frames.shape[0]; first += FramesAtOnce)
            chunks.Add(Images(frames.narrow(0, first, Math.Min(FramesAtOnce, frames.shape[0] - first))));
        var whole = cat(chunks);
        return whole.reshape([latents.shape[0], latents.shape[2], .. whole.shape[1..]]).permute(0, 2, 1, 3, 4).to(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    /// <summary>[N, 4, h, w] → [N, 3, 8h, 8w].</summary>
    public Tensor Images(Tensor latents)
    {
        using var scope = NewDisposeScope();
        var hidden = _layers.Convolution("post_quant_conv", latents).Then(x => _layers.Convolution("decoder.conv_in", x));
        hidden = hidden.Then(x => _layers.Resnet("decoder.mid_block.resnets.0", x, null, Eps)).Then(Attention).Then(x => _layers.Resnet("decoder.mid_block.resnets.1", x, null, Eps));
        for (var level = 0; level < config.BlockOutChannels.Count; level++)
        {
            for (var layer = 0; layer <= config.LayersPerBlock; layer++)
                hidden = hidden.Then(x => _layers.Resnet($"decoder.up_blocks.{level}.resnets.{layer}", x, null, Eps));
            if (_layers.Has($"decoder.up_blocks.{level}.upsamplers.0.conv"))
                hidden = hidden.Then(x => nn.functional.interpolate(x, scale_factor: [2, 2], mode: InterpolationMode.Nearest))
                    .Then(x => _layers.Convolution($"decoder.up_blocks.{level}.upsamplers.0.conv", x));
        }
        return hidden.Then(x => _layers.GroupNorm("decoder.conv_norm_out", x, Eps)).Then(x => x.silu()).Then(x => _layers.Convolution("decoder.conv_out", x)).MoveToOuterDisposeScope();
    }

    // One head among the places of each image.
    private Tensor Attention(Tensor images)
    {
        using var scope = NewDisposeScope();
        const string layer = "decoder.mid_block.attentions.0";
        return _layers.GroupNorm(layer + ".group_norm", images.flatten(2), Eps)                              // [N, C, H·W]
            .Then(x => x.transpose(1, 2))
            .Then(x => _layers.Attention(layer, x, null, heads: 1))
            .Then(x => x.transpose(1, 2)).Then(x => x.reshape(images.shape))
            .Then(x => x.Add(images)).MoveToOuterDisposeScope();
    }
}
