using AnimateDiff.Denoising;
using AnimateDiff.Vae;
using AnimateDiff.Weights;

namespace AnimateDiff.Benchmarks;

/// <summary>What <see cref="StepSpeed"/> compares: a UNet with motion modules and a VAE, with the norms' statistics that diffusers takes.</summary>
/// <param name="UNet">Computes a step.</param>
/// <param name="Vae">Decodes.</param>
internal sealed record StepModels(UNetMotionModel UNet, AutoencoderKL Vae) : IDisposable
{
    /// <param name="folder">A base model, a folder in diffusers' layout.</param>
    /// <param name="motionFile">Motion modules, a file or a folder.</param>
    /// <param name="dtype">To compute in.</param>
    /// <param name="keepsHalves">Whether weights that are fp16 in the files stay so.</param>
    public static StepModels Load(string folder, string motionFile, ScalarType dtype, bool keepsHalves)
    {
        using var image = Part("unet");
        using var decoder = Part("vae");
        using var motion = MotionFiles.Open(motionFile);
        var unet = new UNetMotionModel(UNetConfig.Read(Config("unet")), MotionConfig.Parse(motion.Config, motion.Path), META) { MotionNormAcrossFrames = true };
        ModuleWeights.Load(unet, image, "UNet", dtype, keepsHalves: keepsHalves, part: name => !UNetMotionModel.IsMotion(name));
        ModuleWeights.Load(unet, motion.Weights, "motion module", dtype, keepsHalves: keepsHalves, part: UNetMotionModel.IsMotion);
        var vae = new AutoencoderKL(VaeConfig.Read(Config("vae")), META);
        ModuleWeights.Load(vae, decoder, "VAE", dtype, keepsHalves: keepsHalves);
        return new(unet, vae);

        string Config(string part) => Path.Combine(folder, part, "config.json");
        StateDict Part(string part) => WeightFile.OpenFolder(Path.Combine(folder, part), "diffusion_pytorch_model");
    }

    public void Dispose()
    {
        UNet.Dispose();
        Vae.Dispose();
    }
}
