using AnimateDiff.Denoising;
using AnimateDiff.Noise;
using AnimateDiff.Text;
using AnimateDiff.Video;

namespace AnimateDiff;

/// <summary>What a request made.</summary>
/// <param name="Videos">One clip for each prompt.</param>
/// <param name="Recipe">Everything that makes it again.</param>
/// <param name="Warnings">What the user should know, such as a prompt that was cut.</param>
public sealed record Generated(IReadOnlyList<VideoFrames> Videos, Recipe Recipe, IReadOnlyList<string> Warnings);

/// <summary>
/// Stable Diffusion with a motion module: prompt → embeddings → noise → denoise loop → frames.
/// Safe to call from any thread; requests run one after the other on the pipeline's own thread.
/// </summary>
public sealed class AnimateDiffPipeline : IDisposable
{
    private readonly TorchWorker _worker;
    private readonly PipelineParts _parts;

    private AnimateDiffPipeline(TorchWorker worker, PipelineParts parts) => (_worker, _parts) = (worker, parts);

    /// <summary>What was loaded, in sentences: kind and version of the motion module and what follows from it.</summary>
    public IReadOnlyList<string> Notes => _parts.Notes;

    /// <summary>Reads the models.</summary>
    /// <param name="options">Which files, and on what to compute.</param>
    /// <param name="progress">Told of each part that is read, on the pipeline's thread.</param>
    /// <param name="cancellationToken">Stops after the part being read.</param>
    /// <exception cref="RequestException">An option is wrong, or two do not go together.</exception>
    /// <exception cref="FileException">A file is missing, damaged, or not what it was given as.</exception>
    public static async Task<AnimateDiffPipeline> LoadAsync(PipelineOptions options, IProgress<GenerationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var worker = new TorchWorker();
        try
        {
            return new AnimateDiffPipeline(worker, await worker.RunAsync(() => PipelineParts.Load(options, progress, cancellationToken), cancellationToken));
        }
        catch
        {
            worker.Dispose();
            throw;
        }
    }

    /// <summary>The recipe of a request, without generating it.</summary>
    /// <exception cref="RequestException">A setting is wrong, or does not go with the model.</exception>
    public Task<Recipe> DescribeAsync(GenerationRequest request) =>
        _parts.RecipeOfAsync(request, _parts.SizeOf(request), Scheduler.Create(request.Scheduler, request.SchedulerOptions, request.Steps));

    /// <summary>Generates the clips of a request.</summary>
    /// <param name="request">What to generate.</param>
    /// <param name="progress">Told of each step, on the pipeline's thread.</param>
    /// <param name="cancellationToken">Stops after the step in progress.</param>
    /// <exception cref="RequestException">A setting is wrong, or does not go with the model.</exception>
    /// <exception cref="FileException">An adapter is missing, damaged, or not what it was given as.</exception>
    public async Task<Generated> GenerateAsync(GenerationRequest request, IProgress<GenerationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var size = _parts.SizeOf(request);
        var scheduler = Scheduler.Create(request.Scheduler, request.SchedulerOptions, request.Steps);
        var warnings = new List<string>();
        var videos = await _worker.RunAsync(() => Run(request, size, scheduler, warnings, progress, cancellationToken), cancellationToken);
        return new Generated(videos, await _parts.RecipeOfAsync(request, size, scheduler), warnings);
    }

    /// <summary>Frees the models.</summary>
    public void Dispose()
    {
        _worker.RunAsync(() => { _parts.Dispose(); return true; }).Wait();
        _worker.Dispose();
    }

    private IReadOnlyList<VideoFrames> Run(GenerationRequest request, ClipSize size, Scheduler scheduler, List<string> warnings, IProgress<GenerationProgress>? progress, CancellationToken cancellationToken)
    {
        using var run = NewDisposeScope();
        _parts.Apply(request.Adapters);
        using var _ = inference_mode();
        using var latents = Denoise(request, size, scheduler, warnings, progress, cancellationToken);
        return Decode(latents, size, request.DecodeChunk, progress, cancellationToken);
    }

    /// <summary>The latents of a request's clips, [B, 4, F, h, w].</summary>
    internal Tensor Denoise(GenerationRequest request, ClipSize size, Scheduler scheduler, List<string> warnings, IProgress<GenerationProgress>? progress, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();

        // 1. prompts → embeddings, [2·B, L, D] with guidance: the negative half first, as the references stack them
        progress?.Report(new(GenerationStage.Encode, 0, 1));
        var guided = request.GuidanceScale > 1;
        var prompts = _parts.Prompts.Encode(request.Prompts, guided ? request.NegativePrompts : null, request.ClipSkip, request.Truncate);
        warnings.AddRange(prompts.Warnings);
        using var context = _parts.UNet.PrepareContext(guided ? cat([prompts.Negative!, prompts.Positive]) : prompts.Positive);
        progress?.Report(new(GenerationStage.Encode, 1, 1));

        // 2. seed → noise
        using var generator = InitialLatents.CreateGenerator(request.Seed);
        var latents = InitialLatents.Draw(size.Clips, size.Frames, size.Height, size.Width, generator, scheduler.InitNoiseSigma);

        // 3. noise → latents
        _parts.UNet.Semantics = request.Semantics;
        using var sampler = scheduler.Start();
        for (var i = 0; i < scheduler.Timesteps.Count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress?.Report(new(GenerationStage.Denoise, i, scheduler.Timesteps.Count));
            using var step = NewDisposeScope();
            var noise = PredictNoise(latents, scheduler, i, context, request.GuidanceScale, guided);
            var next = sampler.Step(noise, i, latents, generator).MoveToOuterDisposeScope();
            latents.Dispose();
            latents = next;
        }
        progress?.Report(new(GenerationStage.Denoise, scheduler.Timesteps.Count, scheduler.Timesteps.Count));
        return latents.MoveToOuterDisposeScope();
    }

    private Tensor PredictNoise(Tensor latents, Scheduler scheduler, int index, TextContext context, double guidanceScale, bool guided)
    {
        var input = scheduler.ScaleModelInput(latents, index);
        var noise = _parts.Predict(guided ? cat([input, input]) : input, scheduler.Timesteps[index], context);
        return guided ? Guidance.Combine(noise, guidanceScale) : noise;
    }

    private IReadOnlyList<VideoFrames> Decode(Tensor latents, ClipSize size, int chunk, IProgress<GenerationProgress>? progress, CancellationToken cancellationToken)
    {
        var videos = new VideoFrames[size.Clips];
        for (var clip = 0; clip < size.Clips; clip++)
        {
            var builder = new VideoFramesBuilder(size.Frames, size.Height, size.Width);
            foreach (var first in Enumerable.Range(0, (size.Frames + chunk - 1) / chunk).Select(index => index * chunk))
            {
                cancellationToken.ThrowIfCancellationRequested();
                progress?.Report(new(GenerationStage.Decode, clip * size.Frames + first, size.Clips * size.Frames));
                using var scope = NewDisposeScope();
                var frames = latents[clip].narrow(1, first, Math.Min(chunk, size.Frames - first)).permute(1, 0, 2, 3);     // [4, F, h, w] → [n, 4, h, w]
                builder.Add(_parts.DecodeFrames(frames));
            }
            videos[clip] = builder.Build();
        }
        progress?.Report(new(GenerationStage.Decode, size.Clips * size.Frames, size.Clips * size.Frames));
        return videos;
    }
}
