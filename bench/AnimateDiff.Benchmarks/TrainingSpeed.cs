using AnimateDiff.Denoising;
using AnimateDiff.Weights;

namespace AnimateDiff.Benchmarks;

/// <summary>
/// Seconds and peak memory of a step that trains motion modules at the real size, 256×256, 8 frames, one clip: prediction, loss and gradients, without
/// the optimizer. First with recomputation, so that what the allocator keeps of the larger one is not counted twice; Linux only.
/// </summary>
internal static class TrainingSpeed
{
    private const int Frames = 8, Steps = 2;

    public static void Run(string folder, string dtype)
    {
        var type = PipelineOptions.ParseDType(dtype);
        using var unet = Load(folder, type);
        foreach (var (name, parameter) in unet.named_parameters())
            parameter.requires_grad = UNetMotionModel.IsMotion(name);
        var weights = unet.parameters().Sum(parameter => parameter.numel() * parameter.element_size()) >> 20;
        var trained = unet.parameters().Where(parameter => parameter.requires_grad).Sum(parameter => parameter.numel() * parameter.element_size()) >> 20;
        Console.WriteLine($"{dtype}, {get_num_threads()} threads, {weights} MB of weights, {trained} MB of gradients\n{RealSize.Header}");

        foreach (var recomputes in new[] { true, false })
        {
            unet.Recomputes = recomputes;
            for (var step = 1; step <= Steps; step++)
                RealSize.Measure($"step {step}, activations {(recomputes ? "recomputed" : "kept")}", () => Step(unet));
        }
    }

    private static void Step(UNetMotionModel unet)
    {
        using var scope = NewDisposeScope();
        var noise = randn([1, 4, Frames, 32, 32]);
        var prediction = unet.Predict(randn([1, 4, Frames, 32, 32]), full([1], 500.0), randn([1, 77, 768]));
        (prediction - noise).square().mean().backward();
        foreach (var parameter in unet.parameters())
            parameter.grad = null;
    }

    private static UNetMotionModel Load(string folder, ScalarType dtype)
    {
        using var image = WeightFile.OpenFolder(Path.Combine(folder, "sd15", "unet"), "diffusion_pytorch_model");
        using var motion = MotionFiles.Open(Path.Combine(folder, "motion-v3.safetensors"));
        var unet = new UNetMotionModel(new UNetConfig(), MotionConfig.Parse(motion.Config, motion.Path), META);
        ModuleWeights.Load(unet, image, "UNet", dtype, part: name => !UNetMotionModel.IsMotion(name));
        ModuleWeights.Load(unet, motion.Weights, "motion module", dtype, part: UNetMotionModel.IsMotion);
        return unet;
    }
}
