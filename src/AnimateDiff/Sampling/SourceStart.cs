using AnimateDiff.Layers;
using AnimateDiff.Noise;
using AnimateDiff.Noise.Samplers;
using AnimateDiff.Video;

namespace AnimateDiff.Sampling;

/// <summary>Where a run with a source begins, and what a mask keeps of the source; the caller's to dispose.</summary>
internal sealed class SourceStart : IDisposable
{
    private const int FramesDrawnAtOnce = 16;

    private readonly Scheduler _scheduler;
    private readonly KeptFrames _source;                                    // [1, 4, F or 1, h, w], clean: what a mask keeps
    private readonly KeptFrames? _noise;                                    // [B, 4, F, h, w], unit; null where the run begins from _source as it is
    private readonly int _clips;                                            // B, in that case
    private readonly KeptFrames? _repaint;                                  // [1, 1, F or 1, h, w], 1 where latents are made anew

    private readonly Tensor? _clip;                                         // [B, 4, F, h, w], clean: what the run begins from where that is not the source
    private readonly double? _leaning;                                      // an image's strength

    private SourceStart(Scheduler scheduler, int first, KeptFrames source, KeptFrames noise, KeptFrames? repaint, Tensor? clip = null, double? leaning = null) =>
        (_scheduler, First, _source, _noise, _repaint, _clip, _leaning) = (scheduler, first, source, noise, repaint, clip, leaning);

    // Begins from latents as they are.
    private SourceStart(Scheduler scheduler, int clips, KeptFrames latents) => (_scheduler, _clips, _source) = (scheduler, clips, latents);

    /// <summary>Index of the run's first evaluation.</summary>
    public int First { get; }

    /// <summary>
    /// Encodes a source and draws the noise. The generator draws in the order of the references: a sample of the VAE's distribution for each frame, then the
    /// noise, which for a video is laid out [B, F, 4, h, w] and for an image [B, 4, F, h, w]. Latents, and a video that is inverted (the VAE's mean), are begun
    /// from as they are, and nothing is drawn.
    /// </summary>
    /// <returns>Null where there is no source.</returns>
    /// <exception cref="FileException">A file is missing, damaged or no video or latents.</exception>
    /// <exception cref="RequestException">A video or a mask has fewer frames than the clip.</exception>
    public static SourceStart? Of(GenerationRequest request, ClipSize size, Scheduler scheduler, PipelineParts parts, Generator generator, CancellationToken cancellationToken)
    {
        if (request.Source is not { } asked)
            return null;
        var (inFile, isVideo) = (size.IsLong(request), asked.Kind == SourceKind.Video);
        if (asked.Kind == SourceKind.Latents)
            return new SourceStart(scheduler, size.Clips, KeptFrames.Of([LatentsFile.Open(asked.Path).Read(parts.Device)], inFile));
        if (scheduler is DdimInverseScheduler)
            return new SourceStart(scheduler, size.Clips, Encode(asked, request, size, parts, null, inFile, cancellationToken));
        var repaint = Repaint(asked.Mask, size, parts, inFile, cancellationToken);
        var source = Encode(asked, request, size, parts, generator, inFile, cancellationToken);
        var noise = KeptFrames.Of(isVideo ? VideoNoise(request, size, parts, generator, inFile) : ImageNoise(request, size, parts, generator), inFile);
        return new SourceStart(scheduler, isVideo ? scheduler.StartIndex(asked.Strength) : 0, source, noise, repaint, leaning: isVideo ? null : asked.Strength);
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
        var (h, w) = ((int)clip.shape[^2], (int)clip.shape[^1]);
        var repaint = Repaint(request.Source?.Mask, size, parts, inFile: false, cancellationToken);
        var source = repaint is null ? KeptFrames.Of(clip.alias()) : Encode(request.Source!, request, size, parts, generator, inFile: false, cancellationToken);
        var noise = StartNoise.Draw(request, size, h, w, 1, generator, parts.Device, again: true);
        return new SourceStart(scheduler, scheduler.StartIndex(request.Hires!.Strength), source, KeptFrames.Of(noise), repaint, clip);
    }

    /// <summary>The latents of the first step, in the scheduler's scale, [B, 4, n, h, w].</summary>
    /// <param name="frames">Which frames of the clip, one after the other; null for all.</param>
    public Tensor Latents(long[]? frames = null)
    {
        using var scope = NewDisposeScope();
        if (_noise is null)
            return _source.At(frames).expand(_clips, -1, -1, -1, -1).Times(_scheduler.InitNoiseSigma).MoveToOuterDisposeScope();
        var noise = _noise.At(frames);
        var begin = _leaning is { } strength
            ? LatentBlend.Towards(_source.At(frames), noise.Times(_scheduler.InitNoiseSigma), strength, (int)(frames?[0] ?? 0), _noise.Count)
            : _scheduler.AddNoise((_clip ?? _source.At(frames)).expand(noise.shape), noise, [.. Enumerable.Repeat(_scheduler.Timesteps[First], (int)noise.shape[0])]);
        return Keep(begin, First, frames).MoveToOuterDisposeScope();
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
        var source = _source.At(frames);
        var kept = noise == 0 ? source : source.Times(signal).Add(_noise!.At(frames).Times(noise));
        return where(_repaint.At(frames).to(ScalarType.Bool), latents, kept.to(latents.dtype)).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _source.Dispose();
        _noise?.Dispose();
        _repaint?.Dispose();
        _clip?.Dispose();
    }

    /// <summary>
    /// A source's latents [1, 4, F or 1, h, w]. diffusers encodes and draws 16 frames together; the draws are the same here, and the VAE gets as many frames
    /// at once as when it decodes.
    /// </summary>
    private static KeptFrames Encode(ClipSource source, GenerationRequest request, ClipSize size, PipelineParts parts, Generator? generator, bool inFile, CancellationToken cancellationToken) =>
        KeptFrames.Of(SourceFrames.Pictures(source, size, FramesDrawnAtOnce, cancellationToken).Select(pictures => Encode(pictures, request, parts, generator, cancellationToken)), inFile);

    // [n, H, W, 3] → [1, 4, n, h, w]; the mean without a generator
    private static Tensor Encode(VideoFrames clip, GenerationRequest request, PipelineParts parts, Generator? generator, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        var latents = new List<Tensor>();
        var pictures = clip.ToTensor();                                                                                  // [n, 3, H, W]
        var pixels = parts.VaeConfig.PixelsPerLatent;
        long[] shape = [clip.Frames, InitialLatents.Channels, clip.Height / pixels, clip.Width / pixels];
        var noise = generator is null ? zeros(shape) : randn(shape, ScalarType.Float32, CPU, generator: generator);
        var chunk = AnimateDiffPipeline.FramesAtOnce(request.DecodeChunk, clip.Height, clip.Width);
        for (var done = 0; done < clip.Frames; done += chunk)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var step = NewDisposeScope();
            var some = Math.Min(chunk, clip.Frames - done);
            using var distribution = parts.Vae.Encode(pictures.narrow(0, done, some));
            latents.Add(distribution.At(noise.narrow(0, done, some).to(parts.Device)).Times(parts.Vae.Config.ScalingFactor).MoveToOuterDisposeScope());
        }
        return cat(latents).transpose(0, 1).unsqueeze(0).contiguous().MoveToOuterDisposeScope();                         // [n, 4, h, w] → [1, 4, n, h, w]
    }

    /// <summary>A video's noise, drawn [B, F, 4, h, w]; of a long one as many frames at a time as are encoded, which for one clip are the same numbers.</summary>
    private static IEnumerable<Tensor> VideoNoise(GenerationRequest request, ClipSize size, PipelineParts parts, Generator generator, bool inParts)
    {
        var pixels = parts.VaeConfig.PixelsPerLatent;
        var together = inParts ? FramesDrawnAtOnce : size.Frames;
        for (var first = 0; first < size.Frames; first += together)
        {
            long[] shape = [size.Clips, Math.Min(together, size.Frames - first), InitialLatents.Channels, size.Height / pixels, size.Width / pixels];
            var noise = randn(shape, ScalarType.Float32, CPU, generator: generator).Then(drawn => drawn.transpose(1, 2)).Then(drawn => drawn.contiguous())
                .Then(drawn => drawn.to(parts.Device));                                                                  // [B, 4, n, h, w]
            StartNoise.Reseed(noise, request, first, sigma: 1);
            yield return noise;
        }
    }

    // Drawn [B, 4, F, h, w], of which some frames of the first channel come long before those of the second: at once.
    private static IEnumerable<Tensor> ImageNoise(GenerationRequest request, ClipSize size, PipelineParts parts, Generator generator)
    {
        var pixels = parts.VaeConfig.PixelsPerLatent;
        var noise = InitialLatents.Draw(generator, size.Clips, size.Frames, size.Height / pixels, size.Width / pixels, 1, parts.Device);
        StartNoise.Reseed(noise, request, 0, sigma: 1);
        yield return noise;
    }

    /// <summary>A mask in the size of the latents, [1, 1, F or 1, h, w]: 1, which is repainted, where the pixels of a latent are, on average, at least half white.</summary>
    private static KeptFrames? Repaint(string? mask, ClipSize size, PipelineParts parts, bool inFile, CancellationToken cancellationToken)
    {
        if (mask is null)
            return null;
        var pixels = parts.VaeConfig.PixelsPerLatent;
        return KeptFrames.Of(SourceFrames.Mask(mask, size, FramesDrawnAtOnce, cancellationToken).Select(pictures =>
        {
            using var scope = NewDisposeScope();
            var white = nn.functional.adaptive_avg_pool2d(pictures.ToTensor().mean([1], keepdim: true), [size.Height / pixels, size.Width / pixels]);    // [n, 1, h, w] in −1…1
            using Scalar half = 0.ToScalar();
            return white.ge(half).to(ScalarType.Float32, parts.Device).transpose(0, 1).unsqueeze(0).contiguous().MoveToOuterDisposeScope();              // [1, 1, n, h, w]
        }), inFile);
    }
}
