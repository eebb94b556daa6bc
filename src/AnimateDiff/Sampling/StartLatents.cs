using AnimateDiff.Noise;

namespace AnimateDiff.Sampling;

/// <summary>Where a run begins.</summary>
internal static class StartLatents
{
    /// <summary>The latents of the first step, [B, 4, F, h, w], in the scheduler's scale.</summary>
    /// <param name="request">What is generated.</param>
    /// <param name="size">Of the clips.</param>
    /// <param name="scheduler">Whose initial noise level it is.</param>
    /// <param name="parts">The models.</param>
    /// <param name="generator">Draws the noise first, the sampler's noise after it.</param>
    public static Tensor Of(GenerationRequest request, ClipSize size, Scheduler scheduler, PipelineParts parts, Generator generator)
    {
        var pixels = parts.Vae.Config.PixelsPerLatent;
        return StartNoise.Draw(request, size, size.Height / pixels, size.Width / pixels, scheduler.InitNoiseSigma, generator, parts.Device);
    }
}
