using AnimateDiff.Denoising;
using AnimateDiff.Vae;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Parity;

/// <summary>The reference models, loaded. The one place that knows where their files are.</summary>
internal static class UNetTestModels
{
    /// <summary>The reference UNet with motion modules "v1", "v2" or "v3" as diffusers or the official code computes them, or without.</summary>
    public static UNetMotionModel UNet(string? motion = null, bool official = false, ScalarType dtype = ScalarType.Float32)
    {
        var folder = Path.Combine(Goldens.Model("nano-sd15"), "unet");
        using var image = SafetensorsFile.Open(Path.Combine(folder, "diffusion_pytorch_model.safetensors"));
        using var temporal = motion is null ? null : MotionWeights(motion);
        var config = temporal is null ? null : MotionConfig.FromWeights(temporal);
        var unet = new UNetMotionModel(UNetConfig.Read(Path.Combine(folder, "config.json")), official ? config?.AsOfficial() : config?.AsDiffusers(), META);
        ModuleWeights.Load(unet, image, "UNet", dtype, part: name => !UNetMotionModel.IsMotion(name));
        if (temporal is not null)
            ModuleWeights.Load(unet, temporal, "motion module", dtype, part: UNetMotionModel.IsMotion);
        foreach (var (_, pe) in unet.named_buffers())
            UsePositions(pe, exact: official);
        return unet;
    }

    /// <summary>The reference VAE.</summary>
    public static AutoencoderKL Vae()
    {
        var folder = Path.Combine(Goldens.Model("nano-sd15"), "vae");
        using var weights = SafetensorsFile.Open(Path.Combine(folder, "diffusion_pytorch_model.safetensors"));
        var vae = new AutoencoderKL(VaeConfig.Read(Path.Combine(folder, "config.json")), META);
        ModuleWeights.Load(vae, weights, "VAE");
        return vae;
    }

    // Motion modules under diffusers' names.
    private static StateDict MotionWeights(string motion)
    {
        if (motion != "v2")
            return SafetensorsFile.Open(Path.Combine(Goldens.Model($"motion-{motion}-diffusers"), "diffusion_pytorch_model.safetensors"));
        var official = SafetensorsFile.Open(Goldens.Model("motion-v2.safetensors"));
        var renamed = official.Select(name => name.Contains(".attention_blocks.1.pos_encoder.") ? null : name
            .Replace(".temporal_transformer", "").Replace(".attention_blocks.0.pos_encoder", ".pos_embed").Replace(".norms.0", ".norm1").Replace(".norms.1", ".norm2")
            .Replace(".ff_norm", ".norm3").Replace(".attention_blocks.0", ".attn1").Replace(".attention_blocks.1", ".attn2"));
        return new StateDict(renamed.Path, renamed.ToDictionary(), renamed.Metadata, official);
    }

    // The official files hold the position encoding exactly, the diffusers folders rounded to fp16: the references of each were computed with its own.
    private static void UsePositions(Tensor pe, bool exact)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var module = new PositionEncoding(pe.shape[2], (int)pe.shape[1]);
        pe.copy_(exact ? module.get_buffer("pe")! : pe.to(ScalarType.Float16));
    }
}
