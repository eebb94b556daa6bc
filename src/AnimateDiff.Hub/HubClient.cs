using AnimateDiff.Configs;

namespace AnimateDiff.Hub;

/// <summary>
/// Pulls models from a Hugging Face-compatible hub into the cache that Python's tools use too: in parallel, resuming what was cut,
/// verified by size and hash, and never half-written under a final name. Safe to use from several threads and processes at once.
/// </summary>
public sealed class HubClient : IDisposable
{
    private readonly HubOptions _options;
    private readonly TimeProvider _time;
    private readonly HubTransport _transport;
    private readonly HubListing _listing;

    /// <summary>A client for one hub and one cache.</summary>
    /// <param name="options">Null: what the environment says (<see cref="HubOptions.FromEnvironment()"/>).</param>
    /// <param name="time">Clock for pauses and time-outs; null: the system's.</param>
    /// <exception cref="RequestException">The environment names no valid hub.</exception>
    public HubClient(HubOptions? options = null, TimeProvider? time = null)
    {
        _options = options ?? HubOptions.FromEnvironment();
        _time = time ?? TimeProvider.System;
        _transport = new HubTransport(_options, _time);
        _listing = new HubListing(_transport, _options);
    }

    /// <summary>Asks the hub what a pull would bring, with sizes; nothing is written.</summary>
    /// <exception cref="HubException">No such repository, revision, file or variant; no access; no network.</exception>
    public async Task<HubPlan> PlanAsync(HubReference reference, CancellationToken cancellationToken = default)
    {
        if (_options.Offline)
            throw Offline(reference);
        var (commit, listed) = await _listing.GetAsync(reference, cancellationToken);
        var files = await _listing.CompleteAsync(reference, commit, Choose(reference, listed), cancellationToken);
        var cache = new HubCache(_options, reference.Repository);
        return new HubPlan(reference, commit, files, files.Sum(file => file.Size),
            files.Sum(file => cache.Has(file, commit) ? file.Size : cache.IncompleteBytes(file)));
    }

    /// <summary>Pulls a repository, or the files named of it.</summary>
    /// <returns>The snapshot folder, or the file (folder) itself when exactly one is named.</returns>
    /// <exception cref="HubException">See <see cref="HubFailure"/>. What has arrived stays and is not fetched again.</exception>
    public async Task<string> PullAsync(HubReference reference, IProgress<HubProgress>? progress = null, CancellationToken cancellationToken = default) =>
        _options.Offline ? Cached(reference) ?? throw Offline(reference)
            : await PullAsync(await PlanAsync(reference, cancellationToken), progress, cancellationToken);

    /// <summary>Pulls what was planned. Reports come from several threads, one at a time.</summary>
    /// <returns>As <see cref="PullAsync(HubReference, IProgress{HubProgress}?, CancellationToken)"/>.</returns>
    /// <exception cref="HubException">See <see cref="HubFailure"/>.</exception>
    public async Task<string> PullAsync(HubPlan plan, IProgress<HubProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var cache = new HubCache(_options, plan.Reference.Repository);
        var missing = plan.Files.Where(file => !cache.Has(file, plan.Commit)).DistinctBy(file => file.Etag).ToList();
        var tally = new Tally(plan, missing, progress);
        try
        {
            Directory.CreateDirectory(Path.Combine(cache.Folder, "blobs"));
            CheckSpace(plan.Reference, missing.Sum(file => file.Size - cache.IncompleteBytes(file)));
            using var slots = new SemaphoreSlim(_options.Connections);
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = _options.ParallelFiles, CancellationToken = cancellationToken };
            await Parallel.ForEachAsync(missing, parallel, async (file, cancellation) =>
            {
                using var held = await cache.LockAsync(file, _time, cancellation);
                if (cache.Has(file, plan.Commit))
                    tally.Move(file, file.Size);
                else
                    await new BlobDownload(_transport, _listing, _options, plan.Reference, file,
                        _listing.FileAddress(plan.Reference, plan.Commit, file), slots, bytes => tally.Move(file, bytes))
                        .RunAsync(cache.Incomplete(file), cache.Blob(file), cancellation);
                tally.Finish(file);
            });
            // Only whole pulls are published: a snapshot that is there can be trusted to hold what was asked for.
            foreach (var file in plan.Files)
                cache.Publish(file, plan.Commit, isNew: missing.Contains(file) && plan.Files.Count(other => other.Etag == file.Etag) == 1);
            cache.WriteRef(plan.Reference.Revision, plan.Commit);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HubException(HubFailure.Disk, plan.Reference.Repository,
                $"{plan.Reference.Repository} cannot be written to {cache.Folder}: {e.Message.TrimEnd('.')}; free space there or set HF_HUB_CACHE to another folder.", e);
        }
        return Target(cache, plan.Commit, plan.Reference);
    }

    /// <summary>
    /// Turns what a user gives as a model into a path: an existing path as it is, a hub name that is cached without any network, another hub name by pulling it.
    /// </summary>
    /// <exception cref="FileException">It is a path and nothing is there.</exception>
    /// <exception cref="HubException">It is a hub name and cannot be pulled.</exception>
    public async Task<string> ResolveAsync(string pathOrName, IProgress<HubProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        if (Path.Exists(pathOrName))
            return pathOrName;
        if (!HubReference.IsHubName(pathOrName, out var reference))
            throw new FileException(pathOrName, $"{pathOrName} does not exist; give a file, a folder, or a repository on the hub as OWNER/NAME or OWNER/NAME:FILE.");
        try
        {
            return Cached(reference) ?? await PullAsync(reference, progress, cancellationToken);
        }
        catch (HubException e) when (e.Failure == HubFailure.NotFound && reference.Files.Count == 0)
        {
            throw new HubException(e.Failure, reference.Repository, $"{pathOrName} is no path on this machine, and: {e.Message}", e);
        }
    }

    /// <summary>The path of what is cached in full, without any network, or null.</summary>
    public string? Cached(HubReference reference)
    {
        var cache = new HubCache(_options, reference.Repository);
        if (cache.Commit(reference.Revision) is not { } commit)
            return null;
        var names = cache.SnapshotNames(commit);
        var complete = reference.Files.Count == 0 ? FileSelection.IsComplete(names)
            : reference.Files.All(file => names.Contains(file) || FileSelection.IsComplete(Inside(names, file)));
        return complete ? Target(cache, commit, reference) : null;
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _transport.Dispose();

    private List<HubFile> Choose(HubReference reference, IReadOnlyList<HubFile> listed)
    {
        string[] names = [.. listed.Select(file => file.Name)];
        List<string> chosen = [];
        foreach (var wanted in reference.Files)
        {
            var inside = Inside(names, wanted);
            if (!names.Contains(wanted) && inside.Count == 0)
                throw new HubException(HubFailure.NotFound, reference.Repository,
                    $"{reference.Repository} has no file {wanted} at revision {reference.Revision}{Nearest.Hint(wanted, names)}.");
            chosen.AddRange(names.Contains(wanted) ? [wanted] : FileSelection.Select(inside, _options.Variant).Select(name => $"{wanted}/{name}"));
        }
        if (reference.Files.Count == 0)
            chosen.AddRange(FileSelection.Select(names, _options.Variant));
        if (chosen.Count == 0)
            throw new HubException(HubFailure.NotFound, reference.Repository,
                $"{reference.Repository} holds no weights or configuration at revision {reference.Revision}.");
        var variants = FileSelection.Variants(names);
        if (_options.Variant is { } variant && reference.Files.Count == 0 && !variants.Contains(variant))
            throw new HubException(HubFailure.NotFound, reference.Repository,
                $"{reference.Repository} has no variant {variant}; {(variants.Count == 0 ? "it has only the plain weights" : $"there are {string.Join(", ", variants)}")}.");
        return [.. listed.Where(file => chosen.Contains(file.Name))];
    }

    private void CheckSpace(HubReference reference, long needed)
    {
        if (_options.FreeSpace(_options.CacheFolder) is { } free && free < needed)
            throw new HubException(HubFailure.Disk, reference.Repository,
                $"{reference.Repository} needs {needed / 1e9:0.00} GB more in {_options.CacheFolder}, which has {free / 1e9:0.00} GB free; "
                + "make room or set HF_HUB_CACHE to another disk.");
    }

    private HubException Offline(HubReference reference) => new(HubFailure.Unreachable, reference.Repository,
        $"{reference} is not in {_options.CacheFolder} in full and HF_HUB_OFFLINE is set; run `animatediff pull {reference}` once with a network.");

    private static IReadOnlyList<string> Inside(IEnumerable<string> names, string folder) =>
        [.. names.Where(name => name.StartsWith(folder + "/", StringComparison.Ordinal)).Select(name => name[(folder.Length + 1)..])];

    private static string Target(HubCache cache, string commit, HubReference reference) =>
        reference.Files is [var only] ? cache.SnapshotFile(commit, only) : cache.Snapshot(commit);

    /// <summary>Adds up what all files report.</summary>
    private sealed class Tally(HubPlan plan, IReadOnlyCollection<HubFile> missing, IProgress<HubProgress>? progress)
    {
        private readonly Lock _lock = new();
        private long _bytes = plan.BytesTotal - missing.Sum(file => file.Size);
        private int _files = plan.Files.Count - missing.Count;

        public void Move(HubFile file, long bytes) => Report(file, bytes, 0);

        public void Finish(HubFile file) => Report(file, 0, 1);

        private void Report(HubFile file, long bytes, int files)
        {
            lock (_lock)
            {
                (_bytes, _files) = (_bytes + bytes, _files + files);
                progress?.Report(new HubProgress(_bytes, plan.BytesTotal, _files, plan.Files.Count, file.Name));
            }
        }
    }
}
