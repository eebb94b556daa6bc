using AnimateDiff.Denoising;
using AnimateDiff.Vae;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Parity;

/// <summary>The reference models, loaded. The one place that knows where their files are.</summary>
internal static class UNetTestModels
{
    /// <summary>
    /// The reference UNet with motion modules "v1", "v2" or "v3" as diffusers or the official code computes them, or without. The official code computes
    /// the position encoding, diffusers loads it from its folders, which hold fp16.
    /// </summary>
    public static UNetMotionModel UNet(string? motion = null, bool official = false, ScalarType dtype = ScalarType.Float32)
    {
        var folder = Path.Combine(Goldens.Model("nano-sd15"), "unet");
        using var image = SafetensorsFile.Open(Path.Combine(folder, "diffusion_pytorch_model.safetensors"));
        using var temporal = motion is null ? null : MotionFiles.Open(official ? ReferenceModels.OfficialMotion(motion) : ReferenceModels.DiffusersMotion(motion));
        var config = temporal is null ? null : MotionConfig.Parse(temporal.Config, temporal.Path);
        var unet = new UNetMotionModel(UNetConfig.Read(Path.Combine(folder, "config.json")), config, META);
        ModuleWeights.Load(unet, image, "UNet", dtype, part: name => !UNetMotionModel.IsMotion(name));
        if (temporal is not null)
            ModuleWeights.Load(unet, temporal.Weights, "motion module", dtype, part: UNetMotionModel.IsMotion);
        unet.ComputesPositions = official;
        unet.MotionNormAcrossFrames = !official;
        unet.ResnetNormAcrossFrames = official && temporal!.Traits.ResnetNormAcrossFrames;
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
}
