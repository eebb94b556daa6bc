using AnimateDiff.Control;
using AnimateDiff.Estimates;
using AnimateDiff.Layers;
using AnimateDiff.Noise;
using AnimateDiff.Noise.Samplers;
using AnimateDiff.Profiling;
using AnimateDiff.Sampling;
using AnimateDiff.Sampling.Long;
using AnimateDiff.Text;
using AnimateDiff.Video;

namespace AnimateDiff;

/// <summary>What a request made.</summary>
/// <param name="Videos">One clip for each prompt.</param>
/// <param name="Recipe">Everything that makes it again.</param>
/// <param name="Warnings">What the user should know, such as a prompt that was cut.</param>
public sealed record Generated(IReadOnlyList<VideoFrames> Videos, Recipe Recipe, IReadOnlyList<string> Warnings);

/// <summary>What a request made, when its clip is in a file.</summary>
/// <param name="Recipe">Everything that makes it again, as the file says it.</param>
/// <param name="Warnings">What the user should know, such as a prompt that was cut.</param>
public sealed record GeneratedFile(Recipe Recipe, IReadOnlyList<string> Warnings);

/// <summary>
/// Stable Diffusion with a motion module: prompt → embeddings → noise → denoise loop → frames.
/// Safe to call from any thread; requests run one after the other on the pipeline's own thread.
/// </summary>
public sealed class AnimateDiffPipeline : IDisposable
{
    private const int PixelsDecodedAtOnce = 256 * 256;

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
    public static Task<AnimateDiffPipeline> LoadAsync(
        PipelineOptions options, IProgress<GenerationProgress>? progress = null, CancellationToken cancellationToken = default) =>
        LoadAsync(options, tokenizer: null, progress, cancellationToken);

    internal static Task<AnimateDiffPipeline> LoadAsync(
        PipelineOptions options, ITokenizer? tokenizer, IProgress<GenerationProgress>? progress = null, CancellationToken cancellationToken = default) =>
        LoadAsync(() => PipelineParts.Load(options, tokenizer, progress, cancellationToken), cancellationToken);

    /// <summary>What a request is expected to take, without reading weights; in about a second.</summary>
    /// <param name="options">Which files, and on what to compute.</param>
    /// <param name="request">What would be generated.</param>
    /// <param name="cancellationToken">Stops between the parts.</param>
    /// <exception cref="RequestException">A setting is wrong, or does not go with the models.</exception>
    /// <exception cref="FileException">A file is missing, damaged, or not what it was given as.</exception>
    public static Task<RunEstimate> EstimateAsync(PipelineOptions options, GenerationRequest request, CancellationToken cancellationToken = default) =>
        EstimateAsync(options, null, request, (estimator, settled, size) => estimator.Of(settled, size), cancellationToken);

    /// <summary>Refuses a request that cannot fit into the memory that this process may have, before anything is loaded; <see cref="GenerateAsync"/> does it too.</summary>
    /// <param name="options">Which files, and on what to compute.</param>
    /// <param name="request">What would be generated.</param>
    /// <param name="cancellationToken">Stops between the parts.</param>
    /// <exception cref="RequestException">It cannot fit, or a setting is wrong, or does not go with the models; says what would fit.</exception>
    /// <exception cref="FileException">A file is missing, damaged, or not what it was given as.</exception>
    public static Task CheckMemoryAsync(PipelineOptions options, GenerationRequest request, CancellationToken cancellationToken = default) =>
        EstimateAsync(options, null, request, (estimator, settled, size) =>
        {
            estimator.RequireFit(settled, size);
            return true;
        }, cancellationToken);

    internal static async Task<T> EstimateAsync<T>(
        PipelineOptions options, ITokenizer? tokenizer, GenerationRequest request, Func<Estimator, GenerationRequest, ClipSize, T> ask, CancellationToken cancellationToken)
    {
        using var pipeline = await LoadAsync(() => PipelineParts.Shapes(options, tokenizer, cancellationToken), cancellationToken);
        request = await pipeline.SettleAsync(request, [], cancellationToken);
        return await pipeline._worker.RunAsync(() => ask(new Estimator(pipeline._parts), request, pipeline._parts.SizeOf(request)), cancellationToken);
    }

    private static async Task<AnimateDiffPipeline> LoadAsync(Func<PipelineParts> load, CancellationToken cancellationToken)
    {
        var worker = new TorchWorker();
        try
        {
            return new AnimateDiffPipeline(worker, await worker.RunAsync(load, cancellationToken));
        }
        catch
        {
            worker.Dispose();
            throw;
        }
    }

    /// <summary>The recipe of a request, without generating it.</summary>
    /// <exception cref="RequestException">A setting is wrong, or does not go with the model.</exception>
    /// <exception cref="FileException">A video or picture the request is made from is missing or damaged.</exception>
    public async Task<Recipe> DescribeAsync(GenerationRequest request)
    {
        request = await SettleAsync(request, [], CancellationToken.None);
        return await _parts.RecipeOfAsync(request, _parts.SizeOf(request), Scheduler.Create(request.Scheduler, request.SchedulerOptions, request.Steps));
    }

    /// <summary>Generates the clips of a request.</summary>
    /// <param name="request">What to generate.</param>
    /// <param name="progress">Told of each step, on the pipeline's thread.</param>
    /// <param name="cancellationToken">Stops after the step in progress.</param>
    /// <exception cref="RequestException">A setting is wrong, or does not go with the model.</exception>
    /// <exception cref="FileException">An adapter is missing, damaged, or not what it was given as.</exception>
    public async Task<Generated> GenerateAsync(
        GenerationRequest request, IProgress<GenerationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var warnings = new List<string>();
        request = await SettleAsync(request, warnings, cancellationToken);
        var size = _parts.SizeOf(request);
        var scheduler = Scheduler.Create(request.Scheduler, request.SchedulerOptions, request.Steps);
        var identity = request.WorkFolder is null ? "" : (await _parts.RecipeOfAsync(request, size, scheduler)).ToJson();
        var videos = await _worker.RunAsync(() => Run(request, size, scheduler, identity, warnings, progress, cancellationToken), cancellationToken);
        return new Generated(videos, await _parts.RecipeOfAsync(request, size, scheduler), warnings);
    }

    /// <summary>
    /// Generates the clip of a request into a file, with its recipe inside: frames are encoded while the next ones are decoded, so that a clip of any length
    /// takes the memory of a few. Only where the request's <see cref="GenerationRequest.Finish"/> asks for more are all decoded first.
    /// </summary>
    /// <param name="request">What to generate, of one prompt.</param>
    /// <param name="path">File or folder, as for <see cref="VideoWriter"/>; it appears complete or not at all.</param>
    /// <param name="fps">Frames a second before a finishing step that makes more of them.</param>
    /// <param name="recorded">What the file's recipe says instead of the one computed with, such as a model's public name instead of its path; null for no change.</param>
    /// <param name="progress">Told of each step, on the pipeline's thread.</param>
    /// <param name="cancellationToken">Stops after the step in progress; no part of the file is left.</param>
    /// <exception cref="RequestException">A setting is wrong, does not go with the model, or the file cannot be of this kind.</exception>
    /// <exception cref="FileException">An adapter is missing, damaged, or not what it was given as; or the file cannot be written.</exception>
    public async Task<GeneratedFile> GenerateFileAsync(GenerationRequest request, string path, double fps, Func<Recipe, Recipe>? recorded = null,
        IProgress<GenerationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        if (request.Prompts.Count != 1)
            throw new RequestException($"{request.Prompts.Count} prompts are given for the file {path}, which holds one clip: give one prompt.");
        var rate = fps * Finish.Speed(request.Finish);
        VideoWriter.Check(path, rate);
        if (request.Finish.Count > 0)
        {
            var made = await GenerateAsync(request, progress, cancellationToken);
            var said = Recorded(made.Recipe);
            await VideoWriter.WriteAsync(path, made.Videos[0], rate, said.ToJson(), cancellationToken: cancellationToken);
            return new GeneratedFile(said, made.Warnings);
        }

        var warnings = new List<string>();
        request = await SettleAsync(request, warnings, cancellationToken);
        var size = _parts.SizeOf(request);
        var scheduler = Scheduler.Create(request.Scheduler, request.SchedulerOptions, request.Steps);
        var recipe = _parts.RecipeOfAsync(request, size, scheduler);                                         // hashes of large files take a while
        var identity = request.WorkFolder is null ? "" : (await recipe).ToJson();
        await ClipFile.WriteAsync(path, size.Frames, rate, TextOf(recipe), append => _worker.RunAsync(() =>
        {
            Run(request, size, scheduler, identity, warnings, (_, images) => append(images), progress, cancellationToken);
            return true;
        }, cancellationToken), cancellationToken);
        return new GeneratedFile(Recorded(await recipe), warnings);

        async Task<string> TextOf(Task<Recipe> own) => Recorded(await own).ToJson();

        Recipe Recorded(Recipe own) => (recorded?.Invoke(own) ?? own) with { Fps = fps };
    }

    /// <summary>
    /// DDIM inversion: takes the sampler's steps backwards from a clip to noise, and writes that into a file from which <see cref="SourceKind.Latents"/> begins. With the
    /// same prompt and a guidance scale of 1 the clip comes back, nearly; with another prompt it is edited.
    /// </summary>
    /// <param name="request">
    /// What to invert, as its <see cref="GenerationRequest.Source"/>: a video, of which the VAE's mean is taken, or clean latents; and with what, usually 50 steps of ddim, a
    /// prompt that says what the clip shows, and a guidance scale of 1. What changes over the steps does so in the order of the inversion's.
    /// </param>
    /// <param name="path">The file; see <see cref="LatentsFile"/>. It appears complete or not at all.</param>
    /// <param name="recorded">What the file's recipe says instead of the one computed with, such as a model's public name instead of its path; null for no change.</param>
    /// <param name="progress">Told of each step, on the pipeline's thread.</param>
    /// <param name="cancellationToken">Stops after the step in progress; no part of the file is left.</param>
    /// <returns>The recipe in the file, and what the user should know.</returns>
    /// <exception cref="RequestException">A setting is wrong, does not go with the model, or has no way back.</exception>
    /// <exception cref="FileException">The clip or an adapter is missing or damaged, or the file cannot be written.</exception>
    public async Task<GeneratedFile> InvertAsync(GenerationRequest request, string path, Func<Recipe, Recipe>? recorded = null,
        IProgress<GenerationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        OutputFile.CheckWritable(path);
        var warnings = new List<string>();
        request = await SettleAsync(request, warnings, cancellationToken);
        var sampler = Inversion.SamplerOf(request);
        var size = _parts.SizeOf(request);
        var recipe = await _parts.RecipeOfAsync(request, size, sampler);
        recipe = recorded?.Invoke(recipe) ?? recipe;
        return await _worker.RunAsync(() =>
        {
            new Estimator(_parts).RequireFit(request, size);
            warnings.AddRange(_parts.Apply(request));
            using var run = NewDisposeScope();
            using var _ = inference_mode();
            using var made = DenoiseAlone(request, size, new DdimInverseScheduler(sampler), "", warnings, progress, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            LatentsFile.Write(path, cat([.. made.Blocks.Select(made.Read)], 2), recipe);
            return new GeneratedFile(recipe, warnings);
        }, cancellationToken);
    }

    /// <summary>Deletes the run kept in a <see cref="GenerationRequest.WorkFolder"/> once its clip is written; until then it makes the clip again without denoising.</summary>
    /// <param name="folder">The folder, which goes too where nothing else is in it.</param>
    public static void DeleteWork(string folder) => LongRun.Delete(folder);

    /// <summary>Frees the models.</summary>
    public void Dispose()
    {
        _worker.RunAsync(() => { _parts.Dispose(); return true; }).Wait();
        _worker.Dispose();
    }

    // The method first: latents are compared with what is then run.
    private Task<GenerationRequest> SettleAsync(GenerationRequest request, List<string> warnings, CancellationToken cancellationToken) => SourceFrames.SettleAsync(
        MethodRules.Settle(request, _parts.IsTuneAVideo, _parts.SchedulerConfig), request.Window is null ? _parts.LongestClip : int.MaxValue, _parts.VaeConfig.PixelsPerLatent, warnings, cancellationToken);

    private VideoFrames[] Run(GenerationRequest request, ClipSize size, Scheduler scheduler, string identity, List<string> warnings,
        IProgress<GenerationProgress>? progress, CancellationToken cancellationToken)
    {
        VideoFramesBuilder[] videos = [.. Enumerable.Range(0, size.Clips).Select(_ => new VideoFramesBuilder(size.Frames, inFile: size.IsLong(request)))];
        Run(request, size, scheduler, identity, warnings, (clip, images) => videos[clip].Append(images), progress, cancellationToken);
        return [.. videos.Select(video => ClipFinisher.Apply(video.Build(), request.Finish, request.IsClosed, _parts.Device, progress, cancellationToken))];
    }

    private void Run(GenerationRequest request, ClipSize size, Scheduler scheduler, string identity, List<string> warnings, Action<int, Tensor> sink,
        IProgress<GenerationProgress>? progress, CancellationToken cancellationToken)
    {
        new Estimator(_parts).RequireFit(request, size);
        warnings.AddRange(_parts.Apply(request));
        using var run = NewDisposeScope();
        using var _ = inference_mode();
        var made = DenoiseAlone(request, size, scheduler, identity, warnings, progress, cancellationToken);
        using var latents = request is { IsClosed: true, NumbersFrames: false } ? LoopCut.Apply(made) : made;
        Decode(latents, _parts.LastSizeOf(request, size), request.DecodeChunk, sink, progress, cancellationToken);
        _parts.EndOfPictures();
    }

    // Also where it ends early, no weights stay that the next request changes differently.
    private ClipLatents DenoiseAlone(GenerationRequest request, ClipSize size, Scheduler scheduler, string identity, List<string> warnings,
        IProgress<GenerationProgress>? progress, CancellationToken cancellationToken)
    {
        try
        {
            return Denoise(request, size, scheduler, identity, warnings, progress, cancellationToken);
        }
        finally
        {
            _parts.EndOfDenoising();
        }
    }

    /// <summary>The latents of a request's clips.</summary>
    private ClipLatents Denoise(GenerationRequest request, ClipSize size, Scheduler scheduler, string identity, List<string> warnings,
        IProgress<GenerationProgress>? progress, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();

        // 1. prompts → what the UNet attends to
        progress?.Report(new(GenerationStage.Encode, 0, 1));
        using var prompts = PromptTravel.Encode(_parts.Prompts, request, size.Frames);
        using var text = new ClipText(prompts, size.Frames, request.Context is not null && (prompts.Travels || _parts.Adapters.ChangeOverFrames),
            (embeddings, window) => _parts.Adapters.Prepare(embeddings, window, size.Frames, prompts.Travels), _parts.ImagePrompts.Project(request, size.Frames));
        warnings.AddRange(prompts.Warnings);
        _parts.EndOfEncoding(request);
        progress?.Report(new(GenerationStage.Encode, 1, 1));

        // 2. seed → noise, or a source under noise
        using var generator = InitialLatents.Seeded(request.Seed);
        using var start = SourceStart.Of(request, size, scheduler, _parts, generator, cancellationToken);
        _parts.EndOfPictures();
        var first = start?.First ?? 0;

        // 3. noise → latents
        using var deep = DeepCacheRun.Of(request);
        var run = new DenoiseRun(request, size, scheduler, PredictionOf(size, scheduler, first), text, start, generator, _parts, progress, cancellationToken);
        if (size.IsLong(request))
            return run.InFiles(identity);
        var latents = request.IsZeroShot ? ZeroShotVideo.Latents(run) : run.InMemory();

        // 4. the same at a larger size, from the latents under new noise
        if (request.Hires is { } hires)
        {
            var large = _parts.LastSizeOf(request, size);
            var sampler = hires.Steps is { } steps ? Scheduler.Create(request.Scheduler, request.SchedulerOptions, steps) : scheduler;
            var enlarged = latents.Then(x => HiresStart.Enlarge(x, hires.Mode, large, _parts.Vae, request.DecodeChunk, cancellationToken));
            using var again = SourceStart.Again(enlarged, request, large, sampler, _parts, generator, cancellationToken);
            latents = (run with
            {
                Request = request with { FreeInit = null },
                Size = large,
                Scheduler = sampler,
                Prediction = PredictionOf(large, sampler, again.First),
                Start = again,
            }).InMemory();
        }
        return ClipLatents.Of(latents.MoveToOuterDisposeScope());

        NoisePrediction PredictionOf(ClipSize clips, Scheduler sampler, int begin) => new(
            _parts.UNet, text, request, sampler, ControlRun.Start(request, clips, _parts, prompts, begin, sampler.Timesteps.Count, cancellationToken), inTurn: _parts.IsLow, deep);
    }

    /// <summary>Frames the VAE takes at once.</summary>
    internal static int FramesAtOnce(int? chunk, int height, int width) => chunk ?? (int)Math.Max(1, PixelsDecodedAtOnce / ((long)height * width));

    /// <summary>Decodes clip after clip, a few frames at a time; each chunk goes to <paramref name="sink"/> as [n, 3, H, W] in −1…1.</summary>
    private void Decode(ClipLatents latents, ClipSize size, int? chunk, Action<int, Tensor> sink,
        IProgress<GenerationProgress>? progress, CancellationToken cancellationToken)
    {
        var frames = FramesAtOnce(chunk, size.Height, size.Width);
        var (done, total) = (0, size.Clips * size.Frames);
        progress?.Report(new(GenerationStage.Decode, 0, total));
        foreach (var block in latents.Blocks)
        {
            using var scope = NewDisposeScope();
            var clips = latents.Read(block);
            for (var clip = 0; clip < size.Clips; clip++)
                _parts.Vae.DecodeFrames(clips.narrow(0, clip, 1), frames, (_, images) =>
                {
                    sink(clip, images);
                    progress?.Report(new(GenerationStage.Decode, done += (int)images.shape[0], total));
                }, cancellationToken);
        }
    }

    /// <summary>
    /// A request's final latents [B, 4, F, h, w] and its frames [B, F, 3, H, W] in 0…1 before they become bytes, the caller's to dispose;
    /// for comparing with references.
    /// </summary>
    internal async Task<(Tensor Latents, Tensor Frames)> GenerateTensorsAsync(GenerationRequest request, Scheduler scheduler)
    {
        request = await SettleAsync(request, [], CancellationToken.None);
        var size = _parts.SizeOf(request);
        return await _worker.RunAsync(() =>
        {
            _parts.Apply(request);
            using var scope = NewDisposeScope();
            using var _ = inference_mode();
            using var made = DenoiseAlone(request, size, scheduler, "", [], null, CancellationToken.None);
            var chunks = Enumerable.Range(0, size.Clips).Select(_ => new List<Tensor>()).ToArray();
            Decode(made, _parts.LastSizeOf(request, size), null, (clip, images) => chunks[clip].Add(images.Over(2).Add(0.5).Clamp(0, 1).DetachFromDisposeScope()), null, CancellationToken.None);
            var frames = stack([.. chunks.Select(clip => cat(clip))]);                                     // [B, F, 3, H, W]
            foreach (var images in chunks.SelectMany(clip => clip))
                images.Dispose();
            return (cat([.. made.Blocks.Select(made.Read)], 2).DetachFromDisposeScope(), frames.DetachFromDisposeScope());
        });
    }

    /// <summary>Measures what is generated until it is disposed of, which like this is to be done between generations; on the CPU.</summary>
    internal Profile Measure() => _parts.Measure();

    /// <summary>Number of tensors alive on the pipeline's thread.</summary>
    internal Task<long> LiveTensorsAsync() => _worker.RunAsync(() => DisposeScopeManager.Statistics.ThreadTotalLiveCount);
}
