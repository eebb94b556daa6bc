using AnimateDiff.Layers;
using AnimateDiff.Profiling;
using TorchSharp.Modules;

namespace AnimateDiff.Vae;

/// <summary>Takes decoded frames as they come.</summary>
/// <param name="first">Number of the first one, counting through all clips: clip · F + frame.</param>
/// <param name="images">[n, 3, H, W] fp32 in about −1…1, on the CPU; disposed when the call returns.</param>
internal delegate void FrameSink(int first, Tensor images);

/// <summary>The autoencoder of Stable Diffusion (Rombach et al. 2022, arXiv 2112.10752, §3.1): images to latents and back, each image for itself.</summary>
internal sealed class AutoencoderKL : nn.Module
{
    private readonly Encoder encoder;
    private readonly Decoder decoder;
    private readonly Conv2d quant_conv;
    private readonly Conv2d post_quant_conv;

    /// <summary>Its shape.</summary>
    public VaeConfig Config { get; }

    /// <summary>Told what decoding spends its time on; null where nobody asks.</summary>
    public Profile? Profile { get; set; }

    public AutoencoderKL(VaeConfig config, Device? device = null) : base(nameof(AutoencoderKL))
    {
        config.Validate();
        Config = config;
        encoder = new(config, device);
        decoder = new(config, device);
        quant_conv = new Conv2d(2 * config.LatentChannels, 2 * config.LatentChannels, 1, device: device);
        post_quant_conv = new Conv2d(config.LatentChannels, config.LatentChannels, 1, device: device);
        RegisterComponents();
    }

    /// <summary>The distribution of an image's latents, in fp32 and before the scaling factor.</summary>
    /// <param name="images">[N, 3, H, W] in −1…1; H and W multiples of 8.</param>
    public LatentDistribution Encode(Tensor images)
    {
        using var scope = NewDisposeScope();
        var moments = ChannelsLast(images).Then(encoder.call).Then(quant_conv.call).Then(x => x.to(ScalarType.Float32)).chunk(2, dim: 1);
        return new(moments[0].MoveToOuterDisposeScope(), moments[1].Clamp(-30, 20).MoveToOuterDisposeScope());
    }

    /// <summary>Images of latents that have been divided by the scaling factor.</summary>
    /// <param name="latents">[N, 4, h, w]</param>
    /// <returns>[N, 3, 8h, 8w] in about −1…1, in the type of the weights.</returns>
    public Tensor Decode(Tensor latents)
    {
        using var measured = Profile?.Call(Profile.Decoding);
        using var scope = NewDisposeScope();
        return ChannelsLast(latents).Then(post_quant_conv.call).Then(decoder.call).MoveToOuterDisposeScope();
    }

    /// <summary>Decodes clips a few frames at a time, so that the memory needed does not grow with their number.</summary>
    /// <param name="latents">[B, 4, F, h, w], as the UNet has them: they are divided by the scaling factor here.</param>
    /// <param name="chunk">Frames decoded together, 1 or more.</param>
    /// <param name="sink">Called with each chunk in order.</param>
    /// <param name="cancellationToken">Looked at before each chunk.</param>
    public void DecodeFrames(Tensor latents, int chunk, FrameSink sink, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(chunk, 1);
        using var scope = NewDisposeScope();
        var frames = latents.transpose(1, 2).flatten(0, 1);                                                 // [B·F, 4, h, w]
        for (var first = 0; first < frames.shape[0]; first += chunk)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var step = NewDisposeScope();
            var z = frames.narrow(0, first, Math.Min(chunk, frames.shape[0] - first)).Over(Config.ScalingFactor);
            sink(first, Decode(z).Then(x => x.to(ScalarType.Float32, CPU)));                                // [n, 3, H, W]
        }
    }

    // [N, C, H, W] with the channels last in memory, in the type of the weights
    private Tensor ChannelsLast(Tensor images)
    {
        using var scope = NewDisposeScope();
        var input = images.to(post_quant_conv.bias!.dtype, post_quant_conv.weight.device);
        return input.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }
}

/// <summary>A Gaussian over latents: [N, 4, h, w] each.</summary>
internal sealed record LatentDistribution(Tensor Mean, Tensor LogVar) : IDisposable
{
    /// <summary>Mean plus one draw, made in fp32 on the CPU so that it does not depend on the device; a generator of the CPU, or null for the global one.</summary>
    public Tensor Sample(Generator? generator = null)
    {
        using var scope = NewDisposeScope();
        var noise = randn(Mean.shape, ScalarType.Float32, CPU, generator: generator).to(Mean.device);
        return At(noise).MoveToOuterDisposeScope();
    }

    /// <summary>Mean plus standard deviation times <paramref name="noise"/>.</summary>
    public Tensor At(Tensor noise) => Mean.Add(LogVar.Times(0.5).exp() * noise);

    public void Dispose()
    {
        Mean.Dispose();
        LogVar.Dispose();
    }
}
