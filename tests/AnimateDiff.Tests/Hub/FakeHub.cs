using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using AnimateDiff.Hub;

namespace AnimateDiff.Tests.Hub;

/// <summary>A hub with one repository and a storage server on another port, with the ways of the public one: API, redirects, error codes, hashes.</summary>
internal sealed class FakeHub : IAsyncDisposable
{
    public const string Repository = "owner/model";
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";
    public const int LfsFrom = 1000;
    private readonly Dictionary<string, byte[]> _files;
    private readonly Dictionary<string, string> _etags;
    private readonly TempFolder _folder = new();

    public FakeHub(Dictionary<string, byte[]> files)
    {
        _files = files;
        _etags = files.ToDictionary(file => file.Key, file => Etag(file.Value));
        Hub = new HttpStub(request => OnHub?.Invoke(request) ?? AnswerHub(request));
        Storage = new HttpStub(request => OnStorage?.Invoke(request) ?? AnswerStorage(request));
        Time = new QuickTime();
    }

    public HttpStub Hub { get; }

    public HttpStub Storage { get; }

    public QuickTime Time { get; }

    /// <summary>Looked at first; null lets the hub answer as it should.</summary>
    public Func<StubRequest, StubAnswer?>? OnHub { get; set; }

    public Func<StubRequest, StubAnswer?>? OnStorage { get; set; }

    public string Cache => Path.Combine(_folder.Path, "hub");

    public string RepositoryFolder => Path.Combine(Cache, "models--owner--model");

    public string SnapshotFolder => Path.Combine(RepositoryFolder, "snapshots", Commit);

    public HubOptions Options => new()
    {
        Endpoint = Hub.Address,
        CacheFolder = Cache,
        ChunkBytes = 64 << 10,
        StallTimeout = QuickTime.RealFrom,
    };

    public HubClient Client(Func<HubOptions, HubOptions>? with = null) => new(with is null ? Options : with(Options), Time);

    public async Task<string> PullAsync(
        string files = "", Func<HubOptions, HubOptions>? with = null, IProgress<HubProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using var client = Client(with);
        Assert.True(HubReference.TryParse(Repository + files, out var reference));
        return await client.PullAsync(reference, progress, cancellationToken);
    }

    /// <summary>Every file of the snapshot has the repository's bytes, every blob its own hash for a name, and nothing unfinished is left.</summary>
    public void AssertComplete(params string[] names)
    {
        var found = Directory.EnumerateFiles(SnapshotFolder, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(SnapshotFolder, path));
        Assert.Equal(names.Order(), found.Order());
        foreach (var name in names)
            Assert.True(File.ReadAllBytes(Path.Combine(SnapshotFolder, name)).AsSpan().SequenceEqual(_files[name]), name);
        var blobs = Directory.EnumerateFiles(Path.Combine(RepositoryFolder, "blobs")).Select(Path.GetFileName);
        Assert.Equal(names.Select(name => Etag(_files[name])).Distinct().Order(), blobs.Order());
    }

    public static string Etag(byte[] bytes) => Convert.ToHexStringLower(bytes.Length >= LfsFrom ? SHA256.HashData(bytes)
        : SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {bytes.Length}\0"), .. bytes]));

    public static byte[] Bytes(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public StubAnswer AnswerHub(StubRequest request)
    {
        var path = Uri.UnescapeDataString(request.Path);
        if (path.StartsWith($"/api/models/{Repository}/revision/main") || path.StartsWith($"/api/models/{Repository}/revision/{Commit}"))
            return StubAnswer.Json(Listing(_files.Select(file => Sibling(file.Key, file.Value))));
        if (path.StartsWith($"/api/models/{Repository}/refs"))
            return StubAnswer.Json("""{"branches":[{"name":"main"},{"name":"fp16"}],"tags":[{"name":"v1.0"}]}""");
        if (path.StartsWith($"/api/models/{Repository}/"))
            return new StubAnswer(404, Headers: ("X-Error-Code", "RevisionNotFound"));
        if (path.StartsWith("/api/models?"))
            return StubAnswer.Json($$"""[{"id":"{{Repository}}"},{"id":"other/thing"}]""");
        var prefix = $"/{Repository}/resolve/{Commit}/";
        if (!path.StartsWith(prefix) || !_files.TryGetValue(path[prefix.Length..], out var bytes))
            return new StubAnswer(404, Headers: ("X-Error-Code", path.StartsWith(prefix) ? "EntryNotFound" : "RepoNotFound"));
        return bytes.Length < LfsFrom ? Serve(bytes, request)
            : new StubAnswer(302, Headers: ("Location", $"{Storage.Address}blob/{_etags[path[prefix.Length..]]}?signature=1"));
    }

    public StubAnswer AnswerStorage(StubRequest request) => Serve(_files[_etags.First(entry => request.Path.Contains(entry.Value)).Key], request);

    public static StubAnswer Serve(byte[] bytes, StubRequest request) => request.Range is { } range
        ? new StubAnswer(206, bytes.AsMemory((int)range.From, (int)(Math.Min(range.To + 1, bytes.Length) - range.From)),
            Headers: ("Content-Range", $"bytes {range.From}-{range.To}/{bytes.Length}"))
        : new StubAnswer(200, bytes);

    public static string Sibling(string name, byte[] bytes) => bytes.Length < LfsFrom
        ? JsonSerializer.Serialize(new { rfilename = name, size = bytes.Length, blobId = Etag(bytes) })
        : JsonSerializer.Serialize(new { rfilename = name, size = bytes.Length, blobId = new string('a', 40), lfs = new { sha256 = Etag(bytes), size = bytes.Length } });

    public static string Listing(IEnumerable<string> siblings) => $$"""{"id":"{{Repository}}","sha":"{{Commit}}","siblings":[{{string.Join(',', siblings)}}]}""";

    public async ValueTask DisposeAsync()
    {
        await Hub.DisposeAsync();
        await Storage.DisposeAsync();
        _folder.Dispose();
    }
}

/// <summary>The system's clock, but pauses shorter than a time-out pass at once; they are noted.</summary>
internal sealed class QuickTime : TimeProvider
{
    public static readonly TimeSpan RealFrom = TimeSpan.FromMinutes(10);

    public System.Collections.Concurrent.ConcurrentQueue<TimeSpan> Pauses { get; } = [];

    /// <summary>When set, time-outs pass after this instead.</summary>
    public TimeSpan? TimeOut { get; set; }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new QuickTimer(System.CreateTimer(callback, state, Map(dueTime), period), this);

    private TimeSpan Map(TimeSpan due)
    {
        if (due == Timeout.InfiniteTimeSpan)
            return due;
        if (due >= RealFrom)
            return TimeOut ?? due;
        Pauses.Enqueue(due);
        return TimeSpan.Zero;
    }

    private sealed class QuickTimer(ITimer inner, QuickTime time) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => inner.Change(time.Map(dueTime), period);

        public void Dispose() => inner.Dispose();

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
/// <summary>Reports in the reporting thread.</summary>
internal sealed class Reports(Action<HubProgress> act) : IProgress<HubProgress>
{
    public void Report(HubProgress value) => act(value);
}
