using AnimateDiff.Finishing;
using AnimateDiff.Video;

namespace AnimateDiff;

/// <summary>Puts new frames between those of any clip, and makes them larger.</summary>
public static class ClipFinisher
{
    /// <summary>A clip after <paramref name="finish"/>.</summary>
    /// <param name="frames">The clip.</param>
    /// <param name="finish">What to do.</param>
    /// <param name="device">Where an upscaler computes: <c>cpu</c> or <c>cuda</c>.</param>
    /// <param name="progress">Told of each frame, on another thread.</param>
    /// <param name="cancellationToken">Stops after the frame in progress.</param>
    /// <exception cref="RequestException">A setting is out of its range, or the result too large.</exception>
    /// <exception cref="FileException">The upscaler is missing, damaged or of a kind that is not known.</exception>
    public static async Task<VideoFrames> ApplyAsync(
        VideoFrames frames, Finish finish, string device = "cpu", IProgress<GenerationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using var worker = new TorchWorker();
        return await worker.RunAsync(() => Apply(frames, [finish], closed: false, new Device(device), progress, cancellationToken), cancellationToken);
    }

    /// <summary>The same on this thread, for several steps.</summary>
    internal static VideoFrames Apply(
        VideoFrames frames, IReadOnlyList<Finish> steps, bool closed, Device device, IProgress<GenerationProgress>? progress, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        Finish.After(steps, (frames.Frames, frames.Height, frames.Width), closed);
        foreach (var step in steps)
        {
            if (step.Interpolate > 1)
                frames = FrameInterpolation.Apply(frames, step.Interpolate, step.Closed ?? closed,
                    (done, total) => progress?.Report(new(GenerationStage.Interpolate, done, total)), cancellationToken);
            if (step.Upscale == 1)
                continue;
            using var model = step.UpscaleModel is null ? null : UpscaleModel.Load(step.UpscaleModel, device);
            frames = Upscaling.Apply(frames, step.Upscale, model, (done, total) => progress?.Report(new(GenerationStage.Upscale, done, total)), cancellationToken);
        }
        return frames;
    }

    /// <summary>Reads the heads of the steps' upscalers, before a long run.</summary>
    /// <exception cref="FileException">One is missing, damaged or of a kind that is not known.</exception>
    internal static void Check(IEnumerable<Finish> steps)
    {
        foreach (var path in FilesOf(steps))
        {
            using var file = Weights.WeightFile.Open(path);
            UpscaleLayout.ConfigOf(UpscaleLayout.Of(file));
        }
    }

    /// <summary>The files of the steps' upscalers.</summary>
    internal static IEnumerable<string> FilesOf(IEnumerable<Finish> steps) => steps.Select(step => step.UpscaleModel).OfType<string>();
}
