using AnimateDiff.Control.Annotators;
using AnimateDiff.Video;

namespace AnimateDiff.Toybox.Study;

/// <summary>Measures systems, as far as they were not measured before, and keeps pictures of their first clips.</summary>
/// <param name="options">What is measured, and how.</param>
/// <param name="folder">The page's folder with pictures and measurements, within the output.</param>
/// <param name="apart">Whether the first clips have a picture each, not one together.</param>
/// <param name="progress">Told of every batch.</param>
/// <param name="cancellationToken">Stops within a batch.</param>
internal sealed class StudyRun(StudyOptions options, string folder, bool apart, IProgress<StudyProgress>? progress, CancellationToken cancellationToken) : IAsyncDisposable
{
    /// <summary>Clips that have a picture each, where they have.</summary>
    public const int ShownApart = 6;

    private const int Frames = ToyRenderer.ClipFrames;
    private const int ShownClips = 3, ShownStills = 5;

    private readonly StudyRows _rows = new(Path.Combine(options.Output, folder, "measurements.jsonl"));
    private readonly TunedModels _tuned = new(options, progress, cancellationToken);
    private ((string? Base, string? Motion) Of, AnimateDiffPipeline Pipeline)? _loaded;

    public StudyOptions Options => options;

    public StudySystems Systems { get; } = new(options.Models, options.Runs);

    /// <summary>Path of a picture of the page.</summary>
    public string Picture(string name) => Path.Combine(options.Output, folder, name);

    /// <summary>The rows of a system, measured now where they are not there; empty where that is not possible.</summary>
    /// <param name="part">The section that asks, measured if it is among the options'; null: measured in any case.</param>
    /// <param name="system">The system.</param>
    /// <param name="set">The scenes.</param>
    /// <param name="most">Most clips, where fewer than the set's are enough.</param>
    public async Task<IReadOnlyList<StudyRow>> MeasureAsync(char? part, StudySystem system, SampleSet set, int most = int.MaxValue)
    {
        var settings = system.Rendered is null ? options.Settings : "";
        var files = (part is not { } letter || options.Parts.Contains(letter)) && system.Missing.Length == 0 ? await system.FingerprintAsync() : null;
        bool Valid(StudyRow row) => row.Settings == settings && row.World == options.Seed && (files is null || row.Files == files);
        if (files is null)
            return [.. _rows.Of(system, set).Values.Where(Valid).OrderBy(row => row.Index)];                            // what was measured where the files were
        _rows.Keep(system, set, Valid);
        var count = Math.Min(options.CountOf(set), most);
        for (var first = 0; first < count; first += StudyOptions.Batch)
        {
            progress?.Report(new($"{system.Title}, {set}", first, count));
            var known = _rows.Of(system, set);
            int[] batch = [.. Enumerable.Range(first, StudyOptions.Batch)];
            var picture = first == 0 && !File.Exists(PictureOf(system, set));
            if (picture || !batch.All(known.ContainsKey))
                await MeasureAsync(system, files, settings, set, batch, picture);
        }
        progress?.Report(new($"{system.Title}, {set}", count, count));
        return [.. _rows.Of(system, set).Values.Where(row => row.Index < count).OrderBy(row => row.Index)];
    }

    /// <summary>The picture of a system's first clips as HTML, or a dash; of one of them where they have a picture each.</summary>
    public string Show(StudySystem system, SampleSet set, int? clip = null)
    {
        var path = PictureOf(system, set, clip);
        return File.Exists(path) ? $"<img src=\"{folder}/{Path.GetFileName(path)}\" alt=\"{system.Title}\" width=\"{(clip is not null ? 128 : set == SampleSet.Any ? 420 : 300)}\">" : "–";
    }

    public ValueTask DisposeAsync()
    {
        _loaded?.Pipeline.Dispose();
        return ValueTask.CompletedTask;
    }

    private string PictureOf(StudySystem system, SampleSet set, int? clip = null) =>
        Picture($"{set}-{system.Name}{(apart ? $"-{clip ?? 0}" : "")}.{(set == SampleSet.Any ? "png" : "gif")}".ToLowerInvariant());

    private async Task MeasureAsync(StudySystem system, string files, string settings, SampleSet set, int[] batch, bool picture)
    {
        var scenes = batch.Select(index => set.Scene(options.Seed, index)).ToArray();
        var seed = options.Seed * 100_000 + (ulong)batch[0];
        var clips = system.Rendered is { } how ? [.. scenes.Select(scene => ToyRenderer.Clip(scene, how.Look, how.Marked))] : await GenerateAsync(system, files, scenes, seed);
        var rows = new StudyRow[batch.Length];
        Parallel.For(0, batch.Length, new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = options.Threads ?? -1 }, i =>
            rows[i] = StudyRow.Of(system, files, settings, set, batch[i], options.Seed, seed, scenes[i], clips[i]));
        if (batch[0] == 0)
            await WritePictureAsync(system, set, clips);
        var known = _rows.Of(system, set);
        _rows.Add([.. rows.Where(row => !known.ContainsKey(row.Index))]);
    }

    private async Task<VideoFrames[]> GenerateAsync(StudySystem system, string files, ToyScene[] scenes, ulong seed)
    {
        string[] prompts = [.. scenes.Select(scene => scene.Caption)];
        var pipeline = await LoadAsync(system);
        var request = new GenerationRequest(prompts)
        {
            Steps = options.Steps,
            GuidanceScale = options.Guidance,
            Seed = seed,
            Adapters = [.. system.Adapters.Select(adapter => new Adapter(adapter.Role, adapter.File.Path, adapter.Scale))],
        };
        if (system.Method == GenerationMethod.TuneAVideo)
            return await TunedAsync(system, files, scenes, request);
        if (system.Control is { } control)
            return await ControlledAsync(pipeline, request with { Frames = Frames }, control, scenes);
        if (system.Motion is not null || system.Method is not null)
            return [.. (await pipeline.GenerateAsync(request with { Frames = Frames, Method = system.Method }, cancellationToken: cancellationToken)).Videos];
        var clips = new VideoFrames[prompts.Length];
        for (var i = 0; i < clips.Length; i++)                                                                          // as many pictures as a clip has, of one draw of noise
        {
            var pictures = await pipeline.GenerateAsync(request with { Prompts = [.. Enumerable.Repeat(prompts[i], Frames)], Seed = seed + (ulong)i }, cancellationToken: cancellationToken);
            clips[i] = Join(pictures.Videos);
        }
        return clips;
    }

    /// <summary>One clip after the other, as each follows pictures of its own.</summary>
    private async Task<VideoFrames[]> ControlledAsync(AnimateDiffPipeline pipeline, GenerationRequest request, (StudyFile File, bool Sparse) control, ToyScene[] scenes)
    {
        var folder = Directory.CreateTempSubdirectory("animatediff-study-").FullName;
        try
        {
            var clips = new VideoFrames[scenes.Length];
            for (var i = 0; i < clips.Length; i++)
            {
                var guide = Path.Combine(folder, $"{i}") + Path.DirectorySeparatorChar;
                await VideoWriter.WriteAsync(guide, ToyRenderer.Clip(scenes[i]), ToyboxWriter.Fps, "{}", cancellationToken: cancellationToken);
                SparseImage Given(int frame) => new(frame, Path.Combine(guide, $"{frame:000}.png"));
                var one = request with { Prompts = [scenes[i].Caption], Seed = request.Seed + (ulong)i };
                one = control.Sparse
                    ? one with { Sparse = new SparseControl(control.File.Path, [Given(0), Given(Frames - 1)]) }
                    : one with { Controls = [new ControlNetInput(control.File.Path, guide) { Annotator = AnnotatorKind.Canny }] };
                clips[i] = (await pipeline.GenerateAsync(one, cancellationToken: cancellationToken)).Videos[0];
            }
            return clips;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>The scenes of each direction from the noise of the clip that was tuned on.</summary>
    private async Task<VideoFrames[]> TunedAsync(StudySystem system, string files, ToyScene[] scenes, GenerationRequest request)
    {
        var clips = new VideoFrames[scenes.Length];
        foreach (var asked in scenes.Index().GroupBy(entry => entry.Item.Movement))
        {
            var (tuned, latents) = await _tuned.GetAsync(system.Base!, files, asked.Key);
            var pipeline = await LoadAsync((tuned, null));
            var made = await pipeline.GenerateAsync(LatentsFile.Open(latents).Apply(request with { Prompts = [.. asked.Select(entry => entry.Item.Caption)] }), cancellationToken: cancellationToken);
            foreach (var ((index, _), clip) in asked.Zip(made.Videos))
                clips[index] = clip;
        }
        return clips;
    }

    private Task<AnimateDiffPipeline> LoadAsync(StudySystem system) => LoadAsync((system.Base?.Path, system.Motion?.Path));

    private async Task<AnimateDiffPipeline> LoadAsync((string? Base, string? Motion) of)
    {
        if (_loaded is { } loaded && loaded.Of == of)
            return loaded.Pipeline;
        _loaded?.Pipeline.Dispose();
        _loaded = null;
        var pipeline = await AnimateDiffPipeline.LoadAsync(
            new PipelineOptions { Base = of.Base!, Motion = of.Motion, Device = options.Device, Threads = options.Threads }, cancellationToken: cancellationToken);
        _loaded = (of, pipeline);
        return pipeline;
    }

    /// <summary>A few clips beside each other, or for scenes of all kinds their middle frames.</summary>
    private async Task WritePictureAsync(StudySystem system, SampleSet set, IReadOnlyList<VideoFrames> clips)
    {
        if (apart)
        {
            foreach (var (index, clip) in clips.Take(ShownApart).Index())
                await VideoWriter.WriteAsync(PictureOf(system, set, index), clip, ToyboxWriter.Fps, "{}", cancellationToken: cancellationToken);
            return;
        }
        var path = PictureOf(system, set);
        if (set == SampleSet.Any)
        {
            ContactSheet.Write(path, Join([.. clips.Take(ShownStills).Select(clip => new VideoFrames(1, clip.Height, clip.Width, clip.Frame(clip.Frames / 2).ToArray()))]), ShownStills);
            return;
        }
        await VideoWriter.WriteAsync(path, Beside([.. clips.Take(ShownClips)]), ToyboxWriter.Fps, "{}", cancellationToken: cancellationToken);
    }

    /// <summary>One clip of the frames of several.</summary>
    private static VideoFrames Join(IReadOnlyList<VideoFrames> clips) =>
        new(clips.Sum(clip => clip.Frames), clips[0].Height, clips[0].Width, [.. clips.SelectMany(clip => clip.Pixels.ToArray())]);

    /// <summary>One clip that shows several at the same time.</summary>
    private static VideoFrames Beside(IReadOnlyList<VideoFrames> clips)
    {
        const int gap = 2;
        var (width, height, frames) = (clips.Count * (clips[0].Width + gap) - gap, clips[0].Height, clips[0].Frames);
        var pixels = new byte[frames * height * width * 3];
        Array.Fill<byte>(pixels, 255);
        for (var frame = 0; frame < frames; frame++)
            for (var clip = 0; clip < clips.Count; clip++)
                for (var y = 0; y < height; y++)
                    clips[clip][frame].Slice(y * clips[clip].Width * 3, clips[clip].Width * 3).CopyTo(pixels.AsSpan(((frame * height + y) * width + clip * (clips[clip].Width + gap)) * 3));
        return new VideoFrames(frames, height, width, pixels);
    }
}
