using AnimateDiff.Configs;
using AnimateDiff.Control;
using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Noise;
using AnimateDiff.Vae;
using AnimateDiff.Video;

namespace AnimateDiff.Training.Recipes;

/// <summary>Generates clips with the weights as they are in the middle of training: DDIM with guidance, as the official training's validation.</summary>
internal sealed class ValidationSampler(UNetMotionModel unet, AutoencoderKL vae, TrainingRecipe recipe, ValidationOptions options)
{
    private readonly Scheduler _scheduler = Scheduler.Create("ddim", new Dictionary<string, string>
    {
        ["beta_schedule"] = KebabNames.Of(recipe.BetaShape).Replace('-', '_'),
        ["prediction_type"] = KebabNames.Of(recipe.Prediction).Replace('-', '_'),
    }, options.Steps);

    /// <summary>One clip.</summary>
    /// <param name="text">Embeddings of the empty prompt and of the prompt, [2, L, D].</param>
    /// <param name="size">Frames, and height and width of the latents.</param>
    /// <param name="control">What control adds to the UNet, of its input [2, 4, F, h, w] and the timestep [2]; null for none.</param>
    public VideoFrames Generate(Tensor text, (int Frames, int Height, int Width) size, Func<Tensor, Tensor, ControlResiduals>? control = null)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var context = unet.Prepare(text);
        using var generator = InitialLatents.Seeded(options.Seed);
        var latents = InitialLatents.Draw(generator, 1, size.Frames, size.Height, size.Width, _scheduler.InitNoiseSigma, text.device);
        using var sampler = _scheduler.Start();
        for (var i = 0; i < _scheduler.Timesteps.Count; i++)
        {
            using var step = NewDisposeScope();
            var input = _scheduler.ScaleModelInput(latents, i).Then(x => cat([x, x]));
            var timestep = _scheduler.TimestepTensor(i, 2, text.device);
            var noise = Guidance.Combine(unet.Forward(input, timestep, context, control?.Invoke(input, timestep)), options.GuidanceScale);
            var next = sampler.Step(noise, i, latents, generator).MoveToOuterDisposeScope();
            latents.Dispose();
            latents = next;
        }
        var frames = new VideoFramesBuilder(size.Frames);
        vae.DecodeFrames(latents, chunk: 4, (_, images) => frames.Append(images));
        return frames.Build();
    }
}
