using AnimateDiff.Noise;
using AnimateDiff.Video;

namespace AnimateDiff.Sampling;

/// <summary>Where a run with a source begins, and what a mask keeps of the source; the caller's to dispose.</summary>
internal sealed class SourceStart : IDisposable
{
    private const int FramesDrawnAtOnce = 16;

    private readonly Scheduler _scheduler;
    private readonly Tensor _source;                                        // [1, 4, F or 1, h, w], clean: what a mask keeps
    private readonly Tensor _noise;                                         // [B, 4, F, h, w], unit
    private readonly Tensor? _repaint;                                      // [1, 1, F or 1, h, w], true where latents are made anew

    private readonly Tensor? _clip;                                         // [B, 4, F, h, w], clean: what the run begins from where that is not the source
    private readonly double? _leaning;                                      // an image's strength

    private SourceStart(Scheduler scheduler, int first, Tensor source, Tensor noise, Tensor? repaint, Tensor? clip = null, double? leaning = null) =>
        (_scheduler, First, _source, _noise, _repaint, _clip, _leaning) = (scheduler, first, source, noise, repaint, clip, leaning);

    /// <summary>Index of the run's first evaluation.</summary>
    public int First { get; }

    /// <summary>
    /// Encodes a source and draws the noise. The generator draws in the order of the references: a sample of the VAE's distribution for each frame, then the
    /// noise, which for a video is laid out [B, F, 4, h, w] and for an image [B, 4, F, h, w].
    /// </summary>
    /// <returns>Null where there is no source.</returns>
    public static SourceStart? Of(SourceFrames? frames, GenerationRequest request, ClipSize size, Scheduler scheduler, PipelineParts parts,
        Generator generator, CancellationToken cancellationToken)
    {
        if (frames is null || request.Source is not { } asked)
            return null;
        using var scope = NewDisposeScope();
        var source = Encode(frames.Pictures.ToTensor(), request, parts, generator, cancellationToken);                 // [1, 4, F or 1, h, w]
        var (h, w) = (source.shape[^2], source.shape[^1]);
        var isVideo = asked.Kind == SourceKind.Video;
        long[] shape = isVideo ? [size.Clips, size.Frames, InitialLatents.Channels, h, w] : [size.Clips, InitialLatents.Channels, size.Frames, h, w];
        var noise = randn(shape, ScalarType.Float32, CPU, generator: generator).to(parts.Device);
        noise = isVideo ? noise.transpose(1, 2).contiguous() : noise;                                                   // [B, 4, F, h, w]
        StartNoise.Reseed(noise, request, 0, sigma: 1);
        var repaint = frames.Mask is null ? null : Repaint(frames.Mask, h, w, parts.Device);
        return new SourceStart(scheduler, isVideo ? scheduler.StartIndex(asked.Strength) : 0,
            source.MoveToOuterDisposeScope(), noise.MoveToOuterDisposeScope(), repaint?.MoveToOuterDisposeScope(),
            leaning: isVideo ? null : asked.Strength);
    }

    /// <summary>
    /// Begins the second run of a request (<see cref="Hires"/>). What a mask keeps is the source's at the larger size. The generator draws a sample of the VAE's
    /// distribution for each frame of a source with a mask, then the noise, of the request's kind.
    /// </summary>
    /// <param name="clip">The first run's clips at the larger size, [B, 4, F, h, w], clean; they are this one's from now on.</param>
    /// <param name="request">What is generated.</param>
    /// <param name="size">Of the second run's clips.</param>
    /// <param name="scheduler">Of the second run.</param>
    /// <param name="parts">The models.</param>
    /// <param name="generator">Goes on from the first run.</param>
    /// <param name="cancellationToken">Looked at between frames.</param>
    public static SourceStart Again(Tensor clip, GenerationRequest request, ClipSize size, Scheduler scheduler, PipelineParts parts,
        Generator generator, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        var (h, w) = ((int)clip.shape[^2], (int)clip.shape[^1]);
        var (source, repaint) = (clip.alias(), (Tensor?)null);
        if (request.Source is { Mask: not null })
        {
            // Reading is asynchronous for the sake of ffmpeg; this is the pipeline's own thread, which may wait.
            var frames = Task.Run(() => SourceFrames.ReadAsync(request.Source, size, cancellationToken), cancellationToken).GetAwaiter().GetResult()!;
            source = Encode(frames.Pictures.ToTensor(), request, parts, generator, cancellationToken);
            repaint = Repaint(frames.Mask!, h, w, parts.Device);
        }
        var noise = StartNoise.Draw(request, size, h, w, 1, generator, parts.Device, again: true);
        return new SourceStart(scheduler, scheduler.StartIndex(request.Hires!.Strength), source.MoveToOuterDisposeScope(), noise.MoveToOuterDisposeScope(),
            repaint?.MoveToOuterDisposeScope(), clip.MoveToOuterDisposeScope());
    }

    /// <summary>The latents of the first step, [B, 4, F, h, w], in the scheduler's scale.</summary>
    public Tensor Latents()
    {
        using var scope = NewDisposeScope();
        var begin = _leaning is { } strength
            ? LatentBlend.Towards(_source, _noise.Times(_scheduler.InitNoiseSigma), strength)
            : _scheduler.AddNoise((_clip ?? _source).expand(_noise.shape), _noise, [.. Enumerable.Repeat(_scheduler.Timesteps[First], (int)_noise.shape[0])]);
        return Keep(begin, First).MoveToOuterDisposeScope();
    }

    /// <summary>The same, some frames after the other, [B, 4, n, h, w] each.</summary>
    public IEnumerable<Tensor> Latents(IReadOnlyList<long[]> blocks)
    {
        using var whole = Latents();
        foreach (var block in blocks)
            yield return Of(whole, block);
    }

    /// <summary>Latents with what the mask keeps put back: the source, under the run's noise at the level of evaluation <paramref name="index"/>, after the last one as it is.</summary>
    /// <param name="latents">[B, 4, F, h, w]</param>
    /// <param name="index">The evaluation the latents go into; the number of evaluations when there is none left.</param>
    /// <param name="frames">Which frames of the clip the latents are of; null for all.</param>
    public Tensor Keep(Tensor latents, int index, long[]? frames = null)
    {
        if (_repaint is null)
            return latents.alias();
        using var scope = NewDisposeScope();
        var (signal, noise) = index < _scheduler.Timesteps.Count ? _scheduler.LevelAt(index) : (1, 0);
        var source = Of(_source, frames);
        var kept = noise == 0 ? source : source.Times(signal).Add(Of(_noise, frames).Times(noise));
        return where(Of(_repaint, frames), latents, kept.to(latents.dtype)).MoveToOuterDisposeScope();
    }

    // [·, ·, F or 1, h, w] → [·, ·, n or 1, h, w]
    private static Tensor Of(Tensor whole, long[]? frames) =>
        frames is null || whole.shape[2] == 1 ? whole.alias() : whole.index_select(2, tensor(frames, device: whole.device));

    public void Dispose()
    {
        _source.Dispose();
        _noise.Dispose();
        _repaint?.Dispose();
        _clip?.Dispose();
    }

    /// <summary>
    /// Pictures [F, 3, H, W] as latents [1, 4, F, h, w]. diffusers encodes and draws 16 frames together; the draws are the same here, and the VAE gets as many
    /// frames at once as when it decodes.
    /// </summary>
    private static Tensor Encode(Tensor pictures, GenerationRequest request, PipelineParts parts, Generator generator, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        var latents = new List<Tensor>();
        var pixels = parts.VaeConfig.PixelsPerLatent;
        var (frames, h, w) = (pictures.shape[0], pictures.shape[2] / pixels, pictures.shape[3] / pixels);
        for (long first = 0; first < frames; first += FramesDrawnAtOnce)
        {
            var count = Math.Min(FramesDrawnAtOnce, frames - first);
            var noise = randn([count, InitialLatents.Channels, h, w], ScalarType.Float32, CPU, generator: generator);
            var chunk = AnimateDiffPipeline.FramesAtOnce(request.DecodeChunk, (int)pictures.shape[2], (int)pictures.shape[3]);
            for (long done = 0; done < count; done += chunk)
            {
                cancellationToken.ThrowIfCancellationRequested();
                using var step = NewDisposeScope();
                var some = Math.Min(chunk, count - done);
                using var distribution = parts.Vae.Encode(pictures.narrow(0, first + done, some));
                latents.Add(distribution.At(noise.narrow(0, done, some).to(parts.Device)).Times(parts.Vae.Config.ScalingFactor).MoveToOuterDisposeScope());
            }
        }
        return cat(latents).transpose(0, 1).unsqueeze(0).contiguous().MoveToOuterDisposeScope();                         // [F, 4, h, w] → [1, 4, F, h, w]
    }

    /// <summary>A mask in the size of the latents: repainted where the pixels of a latent are, on average, at least half white.</summary>
    private static Tensor Repaint(VideoFrames mask, long h, long w, Device device)
    {
        using var scope = NewDisposeScope();
        var white = nn.functional.adaptive_avg_pool2d(mask.ToTensor().mean([1], keepdim: true), [h, w]);                 // [F or 1, 1, h, w] in −1…1
        using Scalar half = 0.ToScalar();
        return white.ge(half).transpose(0, 1).unsqueeze(0).to(device).MoveToOuterDisposeScope();                         // [1, 1, F or 1, h, w]
    }
}
