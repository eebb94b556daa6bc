using AnimateDiff.Noise;
using AnimateDiff.Tests.Text;

namespace AnimateDiff.Tests;

/// <summary>The pipeline of the reference models, and the numbers it ends with.</summary>
internal static class NanoPipeline
{
    /// <summary>The small base model with a motion module.</summary>
    public static Task<AnimateDiffPipeline> LoadAsync(string motion = "motion-v3.ckpt") =>
        AnimateDiffPipeline.LoadAsync(new PipelineOptions { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model(motion) }, RecordedTokenizer.Load());

    /// <summary>A request's final latents [B, 4, F, h, w], the caller's to dispose.</summary>
    public static async Task<Tensor> LatentsAsync(this AnimateDiffPipeline pipeline, GenerationRequest request)
    {
        var (latents, frames) = await pipeline.GenerateTensorsAsync(request, Scheduler.Create(request.Scheduler, null, request.Steps));
        frames.Dispose();
        return latents;
    }

    /// <summary>The same as numbers, for comparing bit for bit.</summary>
    public static async Task<float[]> NumbersAsync(this AnimateDiffPipeline pipeline, GenerationRequest request)
    {
        using var latents = await pipeline.LatentsAsync(request);
        return [.. latents.contiguous().data<float>()];
    }
}
