using System.Collections.Concurrent;
using AnimateDiff.Video;

namespace AnimateDiff.Training.Dataset;

/// <summary>What a training run takes in one place of a batch.</summary>
/// <param name="Frames">The frames.</param>
/// <param name="Caption">Their caption; empty when there is none.</param>
/// <param name="Entry">The entry of the set they are from.</param>
/// <param name="Condition">What a control network follows; null where the set has none.</param>
internal sealed record Sample(VideoFrames Frames, string Caption, int Entry, VideoFrames? Condition = null);

/// <summary>
/// The samples of a training run in order. Every sample is a function of seed and position, so a run can start anywhere. Samples to come are read ahead on
/// other threads. An entry that cannot be read is replaced by the next in the order of the run, until too many have been.
/// </summary>
/// <param name="set">The clips.</param>
/// <param name="seed">Seed of the run: of the order and of every draw.</param>
internal sealed class ClipFeed(TrainingSet set, ulong seed) : IAsyncDisposable
{
    // A batch of four and its successor's first; at 512×512, 16 frames are 12 MiB.
    private const int Ahead = 5;

    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _readers = new(Math.Clamp(Environment.ProcessorCount / 2, 1, 4));       // ffmpeg and the training need cores too
    private readonly Dictionary<long, Task<Sample>> _tasks = [];
    private readonly List<Task<Sample>> _dropped = [];
    private readonly ConcurrentDictionary<int, (string Name, string Reason)> _unreadable = [];

    /// <summary>The entries that could not be read so far, with the reasons, in the order of their names.</summary>
    public IReadOnlyList<(string Name, string Reason)> Unreadable => [.. _unreadable.OrderBy(bad => bad.Key).Select(bad => bad.Value)];

    /// <summary>The entry of a position: each epoch of <paramref name="count"/> positions is another permutation.</summary>
    /// <param name="count">Number of entries, at least 1.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="position">Position in the run, from 0.</param>
    public static int Entry(int count, ulong seed, long position) => EpochOrder.Entry(count, seed, position / count, (int)(position % count));

    /// <summary>The sample of a position, from 0. Meant to be called with one position after the other, by one caller at a time.</summary>
    /// <param name="position">Position in the run.</param>
    /// <param name="cancellationToken">Ends the waiting; what is read ahead goes on until the feed is disposed.</param>
    /// <exception cref="FileException">More than <see cref="DatasetOptions.MaxBadFraction"/> of the entries cannot be read.</exception>
    public async Task<Sample> At(long position, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_stop.IsCancellationRequested, this);
        foreach (var other in _tasks.Keys.Where(other => other < position || other > position + Ahead).ToList())
        {
            _dropped.RemoveAll(task => task.IsCompleted);
            _tasks.Remove(other, out var task);                        // after a jump
            _dropped.Add(task!);
        }
        for (var next = position; next <= position + Ahead; next++)
            if (!_tasks.ContainsKey(next))
            {
                var place = next;
                _tasks[place] = Task.Run(() => ReadInTurnAsync(place));
            }
        var sample = await _tasks[position].WaitAsync(cancellationToken);
        _tasks.Remove(position);
        return sample;
    }

    /// <summary>Stops reading ahead.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync();
        await Task.WhenAll([.. _tasks.Values, .. _dropped]).ContinueWith(_ => { }, TaskScheduler.Default);      // every result was asked for or is not wanted
        _tasks.Clear();
        _readers.Dispose();
        _stop.Dispose();
    }

    private async Task<Sample> ReadInTurnAsync(long position)
    {
        await _readers.WaitAsync(_stop.Token);
        try
        {
            return await ReadAsync(position);
        }
        finally
        {
            _readers.Release();
        }
    }

    private async Task<Sample> ReadAsync(long position)
    {
        var draw = SampleDraw.Of(seed, position);
        // Two epochs hold the rest of this one and all of the next: every entry. What failed before is tried again, or a resumed run would differ.
        for (var place = position; place < position + 2L * set.Count; place++)
        {
            var entry = Entry(set.Count, seed, place);
            try
            {
                return new Sample(await set.ReadAsync(entry, draw, _stop.Token), set.Caption(entry, draw), entry, await set.ReadConditionAsync(entry, draw, _stop.Token));
            }
            catch (FileException error) when (error.Path != "ffmpeg")
            {
                _unreadable[entry] = (set.Name(entry), error.Message);
                RefuseTooMany();
            }
        }
        throw TooMany();
    }

    private void RefuseTooMany()
    {
        if (_unreadable.Count > set.Options.MaxBadFraction * set.Count)
            throw TooMany();
    }

    private FileException TooMany()
    {
        var bad = Unreadable;
        return new FileException(set.Options.Paths[0],
            $"{bad.Count} of {set.Count} entries ({(double)bad.Count / set.Count:0.#%}) cannot be read (data.max_bad_fraction is {set.Options.MaxBadFraction}). "
            + $"{string.Join(" ", bad.Take(3).Select(entry => $"{entry.Name}: {entry.Reason}"))} "
            + "Run “animatediff dataset check” for all of them, remove them or raise the fraction.");
    }
}
