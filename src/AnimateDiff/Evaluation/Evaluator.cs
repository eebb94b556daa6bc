using AnimateDiff.Text;
using AnimateDiff.Video;

namespace AnimateDiff.Evaluation;

/// <summary>Measures clips: any that <see cref="VideoReader"/> reads, made by this program or not.</summary>
public static class Evaluator
{
    /// <summary>Measures all clips of a request, one after the other.</summary>
    /// <param name="request">What to measure.</param>
    /// <param name="progress">Told after each clip.</param>
    /// <param name="cancellationToken">Stops between frames.</param>
    /// <exception cref="RequestException">The settings do not go together.</exception>
    /// <exception cref="FileException">A file is missing or damaged, a clip differs from its reference in size or length, or has nothing to measure.</exception>
    public static Task<EvaluationReport> RunAsync(EvaluationRequest request, IProgress<EvaluationProgress>? progress = null, CancellationToken cancellationToken = default) =>
        RunAsync(request, null, progress, cancellationToken);

    /// <summary>The same with a tokenizer for CLIP that its folder does not hold.</summary>
    internal static async Task<EvaluationReport> RunAsync(
        EvaluationRequest request, ITokenizer? tokenizer, IProgress<EvaluationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        request.Validate();
        using var worker = new TorchWorker();
        using var tools = await worker.RunAsync(() => new Tools(request, tokenizer, cancellationToken), cancellationToken);
        var clips = request.Systems.SelectMany(system => system.Clips.Select(path => (system.Name, Path: path))).ToArray();
        var measured = new List<ClipMeasures>();
        progress?.Report(new EvaluationProgress(0, clips.Length));
        foreach (var (index, (system, path)) in clips.Index())
        {
            var frames = (await VideoReader.ReadAsync(path, cancellationToken: cancellationToken)).Frames;
            var against = request.Against is null ? null : await ReferenceAsync(request.Against, path, frames, cancellationToken);
            var recipe = Recipe.InClip(path);
            var prompt = request.Prompts.Count switch { 0 => recipe?.Prompts[0], 1 => request.Prompts[0], _ => request.Prompts[index] };
            var clip = new ClipMeasures(system, path, frames.Frames, frames.Width, frames.Height) { Prompt = request.Clip is null ? null : prompt };
            var closed = request.Closed || recipe?.Context is { Closed: true };
            measured.Add(await worker.RunAsync(() => tools.Measure(clip, frames, against, closed, cancellationToken), cancellationToken));
            progress?.Report(new EvaluationProgress(index + 1, clips.Length));
        }
        return new EvaluationReport(measured);
    }

    /// <summary>The clip that one is compared with: that of its name in a folder of clips, or the one there is.</summary>
    private static async Task<VideoFrames> ReferenceAsync(string against, string path, VideoFrames clip, CancellationToken cancellationToken)
    {
        var named = Path.Combine(against, Path.GetFileName(Path.TrimEndingDirectorySeparator(path)));
        var file = Directory.Exists(against) && Path.Exists(named) ? named : against;
        var reference = (await VideoReader.ReadAsync(file, cancellationToken: cancellationToken)).Frames;
        return (reference.Frames, reference.Width, reference.Height) == (clip.Frames, clip.Width, clip.Height) ? reference : throw new FileException(file,
            $"'{file}' has {reference.Frames} frames of {reference.Width}×{reference.Height} and '{path}' {clip.Frames} of {clip.Width}×{clip.Height}; PSNR and SSIM compare clips of one size and length.");
    }

    /// <summary>What all clips are measured with; belongs to the worker's thread.</summary>
    private sealed class Tools : IDisposable
    {
        private readonly EvaluationRequest _request;
        private readonly ClipScorer? _scorer;
        private readonly Tensor? _domain;                                   // [N, P]

        public Tools(EvaluationRequest request, ITokenizer? tokenizer, CancellationToken cancellationToken)
        {
            _request = request;
            _scorer = request.Clip is null ? null : ClipScorer.Load(request.Clip, device(request.Device), tokenizer);
            try
            {
                _domain = request.Reference is null ? null : Domain(request.Reference, cancellationToken);
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        // Reference pictures may have any sizes.
        private Tensor Domain(string path, CancellationToken cancellationToken)
        {
            using var scope = NewDisposeScope();
            Tensor[] pictures = [.. VideoReader.StreamAsync(path, cancellationToken: cancellationToken).ToBlockingEnumerable(cancellationToken)
                .Select(picture => _scorer!.Frames(new VideoFrames(1, picture.Height, picture.Width, picture.Pixels), cancellationToken))];
            return cat(pictures).DetachFromDisposeScope();
        }

        public ClipMeasures Measure(ClipMeasures clip, VideoFrames frames, VideoFrames? against, bool closed, CancellationToken cancellationToken)
        {
            var motion = ClipMotion.Of(frames, cancellationToken);
            var strength = _request.MarkStrength is { } known ? known(frames)
                : _request.Watermark is { } mark ? MarkStrength.Of(frames, Mark.Read(mark, frames.Width, frames.Height)) : (double?)null;
            if (frames.Frames == 1 && _scorer is null && against is null && strength is null)
                throw new FileException(clip.Path, $"'{clip.Path}' has one frame, and what can be measured without a CLIP model, a reference clip or a watermark lies between frames; "
                    + "give a clip of two or more, or one of these.");
            return Scored(clip, frames, cancellationToken) with
            {
                Change = frames.Frames < 2 ? null : 100 * MotionEnergy.Of(frames),
                Motion = motion?.Mean,
                PeakMotion = motion?.Peak,
                Right = motion?.Right,
                Down = motion?.Down,
                Zoom = motion?.Zoom,
                WarpingError = motion?.WarpingError,
                Flicker = Steadiness.Flicker(frames),
                Seam = closed ? Steadiness.Seam(frames) : null,
                Psnr = against is null ? null : Fidelity.Psnr(frames, against),
                Ssim = against is null ? null : Fidelity.Ssim(frames, against, cancellationToken),
                Watermark = strength,
            };
        }

        private ClipMeasures Scored(ClipMeasures clip, VideoFrames frames, CancellationToken cancellationToken)
        {
            if (_scorer is null)
                return clip;
            using var scope = NewDisposeScope();
            var vectors = _scorer.Frames(frames, cancellationToken);        // [F, P]
            return clip with
            {
                TextScore = clip.Prompt is null ? null : ClipScorer.Similarity(vectors, _scorer.Text(clip.Prompt)),
                DomainSimilarity = _domain is null ? null : ClipScorer.Similarity(vectors, _domain),
                Smoothness = ClipScorer.Smoothness(vectors),
            };
        }

        public void Dispose()
        {
            _scorer?.Dispose();
            _domain?.Dispose();
        }
    }
}
