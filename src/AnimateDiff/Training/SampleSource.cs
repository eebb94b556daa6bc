using AnimateDiff.Training.Dataset;
using AnimateDiff.Training.Recipes;
using AnimateDiff.Video;

namespace AnimateDiff.Training;

/// <summary>The samples of a run by their position: read from the clips, or from the cache of their latents.</summary>
internal sealed class SampleSource : IDisposable
{
    private readonly TrainingSet _set;
    private readonly ulong _seed;
    private readonly ClipFeed? _feed;
    private readonly IReadOnlyList<int>? _cached;
    private readonly bool _followed;
    private int _told;

    private SampleSource(TrainingSet set, ulong seed, IReadOnlyList<int>? cached, bool followed)
    {
        (_set, _seed, _cached, _followed) = (set, seed, cached, followed);
        _feed = cached is null ? new ClipFeed(set, seed) : null;
    }

    /// <summary>Number of entries.</summary>
    public int Count => _cached?.Count ?? _set.Count;

    public static SampleSource Open(TrainingRecipe options, IRecipe recipe, Action<string> report, CancellationToken cancellationToken)
    {
        var set = TrainingSet.OpenAsync(options.Data, cancellationToken).GetAwaiter().GetResult();
        var cached = options.Cache is { } folder && recipe is DiffusionRecipe diffusion ? diffusion.FillCache(folder, set, report, cancellationToken) : null;
        return new SampleSource(set, options.Seed, cached, recipe is ControlRecipe { FollowsPictures: true });
    }

    /// <summary>The sample of a position.</summary>
    public TrainingSample At(long position, CancellationToken cancellationToken)
    {
        var draw = SampleDraw.Of(_seed, position);
        if (_cached is not null)
        {
            var entry = _cached[ClipFeed.Entry(_cached.Count, _seed, position)];
            return new TrainingSample(entry, _set.Caption(entry, draw), null, draw) { Followed = _followed ? Followed(entry, draw, cancellationToken) : null };
        }
        var sample = _feed!.At(position, cancellationToken).GetAwaiter().GetResult();
        return new TrainingSample(sample.Entry, sample.Caption, sample.Frames, draw) { Followed = sample.Condition ?? sample.Frames };
    }

    // Latents are of no use to an annotator. The frames are those of the latents: with a movement of the camera, of the one clip that was made.
    private VideoFrames Followed(int entry, SampleDraw draw, CancellationToken cancellationToken) =>
        (_set.ReadConditionAsync(entry, draw, cancellationToken).GetAwaiter().GetResult()
            ?? _set.ReadAsync(entry, _set.Options.Camera is null ? draw : SampleDraw.Of(0, entry), cancellationToken).GetAwaiter().GetResult())!;

    /// <summary>What could not be read since the last time.</summary>
    public IEnumerable<string> News()
    {
        var all = _feed?.Unreadable ?? [];
        if (all.Count == _told)
            return [];
        var news = $"{all.Count} of {Count} entries cannot be read so far, such as {all[^1].Name}: {all[^1].Reason}";
        _told = all.Count;
        return [news];
    }

    public void Dispose() => _feed?.DisposeAsync().AsTask().GetAwaiter().GetResult();
}
