using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using AnimateDiff.Hub;

namespace AnimateDiff.Tests.Hub;

public sealed class HubFailureTests
{
    private const string Weights = "model.safetensors";
    private static readonly byte[] Content = FakeHub.Bytes(1_500_000, 7);

    private static FakeHub NewHub() => new(new() { [Weights] = Content });

    private static Task<HubException> FailsAsync(FakeHub hub, string files = "", Func<HubOptions, HubOptions>? with = null) =>
        Assert.ThrowsAsync<HubException>(() => hub.PullAsync(files, with));

    [Fact]
    public async Task A_cancelled_pull_goes_on_where_it_stopped()
    {
        await using var hub = NewHub();
        using var cancel = new CancellationTokenSource();
        var stopAt = new Reports(report =>
        {
            if (report.BytesDone > 700_000)
                cancel.Cancel();
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => hub.PullAsync(progress: stopAt, cancellationToken: cancel.Token));
        Assert.False(Directory.Exists(hub.SnapshotFolder));
        var kept = new FileInfo(Directory.EnumerateFiles(Path.Combine(hub.RepositoryFolder, "blobs"), "*.incomplete").Single()).Length;
        // Ranges under way on other connections may be lost, no more.
        Assert.InRange(kept, 700_000 - (hub.Options.Connections * hub.Options.ChunkBytes), Content.Length - 1);

        List<HubProgress> reports = [];
        hub.Storage.Requests.Clear();
        await hub.PullAsync(progress: new Reports(reports.Add));
        hub.AssertComplete(Weights);
        Assert.Equal(kept, reports[0].BytesDone);
        // A request of the cancelled pull may reach the storage only now.
        var asked = hub.Storage.Requests.Sum(request => request.Range!.Value.To - request.Range.Value.From + 1);
        Assert.InRange(asked, Content.Length - kept, Content.Length - kept + (hub.Options.Connections * hub.Options.ChunkBytes));
    }

    [Fact]
    public async Task The_unfinished_file_of_another_tool_is_continued()
    {
        await using var hub = NewHub();
        LeaveUnfinished(hub, Content[..1_000_000]);
        await hub.PullAsync();
        hub.AssertComplete(Weights);
        Assert.Equal(500_000, hub.Storage.BodyBytes);
    }

    [Theory]
    [InlineData(1_000_000)]
    [InlineData(1_500_000)]
    [InlineData(1_600_000)]
    public async Task A_damaged_unfinished_file_is_thrown_away(int length)
    {
        await using var hub = NewHub();
        LeaveUnfinished(hub, FakeHub.Bytes(length, 99));
        await hub.PullAsync();
        hub.AssertComplete(Weights);
    }

    [Fact]
    public async Task Cut_connections_are_taken_up_again_without_losing_bytes()
    {
        await using var hub = NewHub();
        var cuts = 0;
        hub.OnStorage = request => Interlocked.Increment(ref cuts) % 2 == 1 ? hub.AnswerStorage(request) with { CutAfter = 40_000 } : null;
        await hub.PullAsync();
        hub.AssertComplete(Weights);
        Assert.Equal(Content.Length, hub.Storage.BodyBytes);
    }

    [Fact]
    public async Task A_server_without_ranges_serves_the_file_from_the_start()
    {
        await using var hub = NewHub();
        LeaveUnfinished(hub, Content[..1_000_000]);
        hub.OnStorage = _ => new StubAnswer(200, Content);
        List<HubProgress> reports = [];
        await hub.PullAsync(progress: new Reports(reports.Add));
        hub.AssertComplete(Weights);
        Assert.Equal(Content.Length, reports[^1].BytesDone);
    }

    [Fact]
    public async Task A_server_without_ranges_that_cuts_is_asked_anew()
    {
        await using var hub = NewHub();
        var requests = 0;
        hub.OnStorage = _ => new StubAnswer(200, Content, CutAfter: Interlocked.Increment(ref requests) < 4 ? 900_000 : null);
        await hub.PullAsync();
        hub.AssertComplete(Weights);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task A_busy_server_is_asked_again_after_the_pause_it_wants(int status)
    {
        await using var hub = NewHub();
        int hubRequests = 0, storageRequests = 0;
        hub.OnHub = _ => Interlocked.Increment(ref hubRequests) == 1 ? new StubAnswer(status, Headers: ("Retry-After", "7")) : null;
        hub.OnStorage = _ => Interlocked.Increment(ref storageRequests) <= 3 ? new StubAnswer(status) : null;
        await hub.PullAsync();
        hub.AssertComplete(Weights);
        Assert.Equal([7, 0.5, 1, 2], hub.Time.Pauses.Select(pause => pause.TotalSeconds));
    }

    [Fact]
    public async Task A_server_that_stays_down_is_given_up_and_named()
    {
        await using var hub = NewHub();
        hub.OnStorage = _ => new StubAnswer(502);
        var error = await FailsAsync(hub);
        Assert.Equal(HubFailure.Unreachable, error.Failure);
        Assert.Contains("127.0.0.1 answers 502, 6 times in a row; run the same command later", error.Message);
    }

    [Fact]
    public async Task A_connection_that_falls_silent_counts_as_cut()
    {
        await using var hub = NewHub();
        hub.Time.TimeOut = TimeSpan.FromMilliseconds(300);
        var requests = 0;
        hub.OnStorage = request => Interlocked.Increment(ref requests) == 1 ? hub.AnswerStorage(request) with { CutAfter = 10_000, Stall = true } : null;
        await hub.PullAsync();
        hub.AssertComplete(Weights);
    }

    [Fact]
    public async Task Wrong_bytes_are_fetched_anew()
    {
        await using var hub = NewHub();
        var wrong = 0;
        hub.OnStorage = request => Interlocked.Exchange(ref wrong, 1) == 0 ? FakeHub.Serve(FakeHub.Bytes(Content.Length, 8), request) : null;
        List<HubProgress> reports = [];
        await hub.PullAsync(progress: new Reports(reports.Add));
        hub.AssertComplete(Weights);
        Assert.Equal((Content.Length, 1), (reports[^1].BytesDone, reports[^1].FilesDone));
    }

    [Fact]
    public async Task Bytes_that_stay_wrong_end_in_an_error_and_leave_nothing()
    {
        await using var hub = NewHub();
        hub.OnStorage = request => FakeHub.Serve(FakeHub.Bytes(Content.Length, 8), request);
        var error = await FailsAsync(hub);
        Assert.Equal(HubFailure.Damaged, error.Failure);
        Assert.Contains("model.safetensors of owner/model arrived damaged 3 times: SHA-256", error.Message);
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(hub.RepositoryFolder, "blobs")));
    }

    [Fact]
    public async Task Small_files_are_checked_by_gits_hash()
    {
        await using var hub = new FakeHub(new() { ["config.json"] = FakeHub.Bytes(300, 1) });
        hub.OnHub = request => request.Path.Contains("resolve") ? new StubAnswer(200, FakeHub.Bytes(300, 2)) : null;
        var error = await FailsAsync(hub);
        Assert.Contains("git hash", error.Message);
    }

    [Theory]
    [InlineData(1_499_999)]
    [InlineData(1_500_001)]
    public async Task A_server_whose_file_has_another_size_than_listed_is_refused(int length)
    {
        await using var hub = NewHub();
        hub.OnStorage = request => FakeHub.Serve(FakeHub.Bytes(length, 7), request);
        var error = await FailsAsync(hub);
        Assert.Equal(HubFailure.Damaged, error.Failure);
        Assert.Contains($"{length} bytes instead of 1500000", error.Message);
    }

    [Fact]
    public async Task An_address_that_has_run_out_is_asked_for_again()
    {
        await using var hub = NewHub();
        var requests = 0;
        hub.OnStorage = _ => Interlocked.Increment(ref requests) == 5 ? new StubAnswer(403) : null;
        await hub.PullAsync();
        hub.AssertComplete(Weights);
        Assert.True(hub.Hub.Requests.Count(request => request.Path.Contains("resolve")) >= 2);
    }

    [Theory]
    [InlineData("../../evil.safetensors")]
    [InlineData("/etc/evil.safetensors")]
    [InlineData("a/../../evil.safetensors")]
    [InlineData("..\\evil.safetensors")]
    [InlineData("C:/evil.safetensors")]
    [InlineData("a//b.safetensors")]
    public async Task Names_that_lead_out_of_the_folder_are_refused(string name)
    {
        await using var hub = NewHub();
        hub.OnHub = request => request.Path.StartsWith("/api") ? StubAnswer.Json(FakeHub.Listing([FakeHub.Sibling(name, Content)])) : null;
        var error = await FailsAsync(hub);
        Assert.Equal(HubFailure.Unsafe, error.Failure);
        Assert.False(Directory.Exists(hub.Cache));
    }

    [Theory]
    [InlineData("""{"sha":"../../x","siblings":[]}""")]
    [InlineData("""{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"a.bin","size":5,"blobId":"../../../../x"}]}""")]
    [InlineData("""{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"a.bin"}]}""")]
    [InlineData("""{"hello":1}""")]
    public async Task A_listing_that_makes_no_sense_is_refused(string json)
    {
        await using var hub = NewHub();
        hub.OnHub = _ => StubAnswer.Json(json);
        Assert.Equal(HubFailure.Damaged, (await FailsAsync(hub)).Failure);
    }

    [Fact]
    public async Task A_gated_repository_names_the_token_and_the_page()
    {
        await using var hub = NewHub();
        hub.OnHub = _ => new StubAnswer(401, Headers: ("X-Error-Code", "GatedRepo"));
        var error = await FailsAsync(hub);
        Assert.Equal(HubFailure.NotAllowed, error.Failure);
        Assert.Contains($"accept its licence at {hub.Hub.Address}owner/model and set HF_TOKEN", error.Message);
        hub.OnHub = _ => new StubAnswer(403, Headers: ("X-Error-Code", "GatedRepo"));
        error = await FailsAsync(hub, with: options => options with { Token = "hf_x" });
        Assert.Contains("the account of the given token has no access", error.Message);
    }

    [Fact]
    public async Task A_file_that_is_gated_though_the_listing_is_not_says_so()
    {
        await using var hub = NewHub();
        hub.OnHub = request => request.Path.Contains("resolve") ? new StubAnswer(403, Headers: ("X-Error-Code", "GatedRepo")) : null;
        Assert.Equal(HubFailure.NotAllowed, (await FailsAsync(hub)).Failure);
    }

    [Theory]
    [InlineData("owner/modell", "", "There is no repository owner/modell at 127.0.0.1, or it is private and needs HF_TOKEN (did you mean owner/model?).")]
    [InlineData("owner/model", "@fp61", "owner/model has no revision fp61 at 127.0.0.1 (did you mean fp16?).")]
    [InlineData("owner/model", ":modell.safetensors", "owner/model has no file modell.safetensors at revision main (did you mean model.safetensors?).")]
    public async Task What_is_not_there_comes_with_the_name_that_was_meant(string repository, string rest, string message)
    {
        await using var hub = NewHub();
        using var client = hub.Client();
        Assert.True(HubReference.TryParse(repository + rest, out var reference));
        var error = await Assert.ThrowsAsync<HubException>(() => client.PullAsync(reference));
        Assert.Equal(HubFailure.NotFound, error.Failure);
        Assert.Equal(message, error.Message);
    }

    [Fact]
    public async Task Too_little_room_is_noticed_before_anything_is_transferred()
    {
        await using var hub = NewHub();
        var error = await FailsAsync(hub, with: options => options with { FreeSpace = _ => 1_000_000 });
        Assert.Equal(HubFailure.Disk, error.Failure);
        Assert.Empty(hub.Storage.Requests);
        LeaveUnfinished(hub, Content[..1_000_000]);
        await hub.PullAsync(with: options => options with { FreeSpace = _ => 1_000_000 });
    }

    [Fact]
    public async Task No_network_is_said_soon()
    {
        await using var hub = NewHub();
        var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();
        var error = await FailsAsync(hub, with: options => options with { Endpoint = new Uri($"http://127.0.0.1:{port}") });
        Assert.Equal(HubFailure.Unreachable, error.Failure);
        Assert.Contains("check the network and HF_ENDPOINT", error.Message);
        Assert.Single(hub.Time.Pauses);
    }

    [Fact]
    public async Task A_certificate_that_is_not_trusted_is_said_to_be_so_at_once()
    {
        await using var hub = NewHub();
        using var key = RSA.Create(2048);
        using var certificate = new CertificateRequest("CN=nobody", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = Task.Run(async () =>
        {
            using var tls = new SslStream(new NetworkStream(await listener.AcceptSocketAsync(), ownsSocket: true));
            await tls.AuthenticateAsServerAsync(certificate).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        });
        var error = await FailsAsync(hub, with: options => options with { Endpoint = new Uri($"https://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}") });
        listener.Stop();
        await serving;
        Assert.Equal(HubFailure.Unreachable, error.Failure);
        Assert.StartsWith("The certificate of 127.0.0.1 is not trusted", error.Message);
        Assert.Empty(hub.Time.Pauses);
    }

    [Fact]
    public async Task Redirects_in_circles_and_to_other_schemes_are_not_followed()
    {
        await using var hub = NewHub();
        hub.OnHub = request => request.Path.StartsWith("/api") ? new StubAnswer(302, Headers: ("Location", request.Path)) : null;
        Assert.Equal(HubFailure.Unsafe, (await FailsAsync(hub)).Failure);
        hub.OnHub = request => request.Path.StartsWith("/api") ? new StubAnswer(302, Headers: ("Location", "file:///etc/passwd")) : null;
        Assert.Equal(HubFailure.Unsafe, (await FailsAsync(hub)).Failure);
    }

    private static void LeaveUnfinished(FakeHub hub, byte[] bytes)
    {
        Directory.CreateDirectory(Path.Combine(hub.RepositoryFolder, "blobs"));
        File.WriteAllBytes(Path.Combine(hub.RepositoryFolder, "blobs", FakeHub.Etag(Content) + ".incomplete"), bytes);
    }
}
