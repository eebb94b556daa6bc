using AnimateDiff.Hub;

namespace AnimateDiff.Tests.Hub;

public sealed class HubPullTests
{
    private static Dictionary<string, byte[]> Adapter(int weightBytes = 1_000_003) => new()
    {
        ["README.md"] = FakeHub.Bytes(500, 1),
        ["config.json"] = FakeHub.Bytes(700, 2),
        ["diffusion_pytorch_model.safetensors"] = FakeHub.Bytes(weightBytes, 3),
        ["diffusion_pytorch_model.fp16.safetensors"] = FakeHub.Bytes(weightBytes / 2, 4),
    };

    [Fact]
    public async Task A_pulled_repository_lies_as_python_tools_lay_it()
    {
        await using var hub = new FakeHub(new() { ["models/a/b.safetensors"] = FakeHub.Bytes(300_000, 1), ["config.json"] = FakeHub.Bytes(10, 2), ["empty.json"] = [] });
        var folder = await hub.PullAsync();

        Assert.Equal(hub.SnapshotFolder, folder);
        hub.AssertComplete("models/a/b.safetensors", "config.json", "empty.json");
        Assert.Equal(FakeHub.Commit, File.ReadAllText(Path.Combine(hub.RepositoryFolder, "refs", "main")));
        var etag = FakeHub.Etag(FakeHub.Bytes(300_000, 1));
        Assert.Equal($"../../../../blobs/{etag}", new FileInfo(Path.Combine(folder, "models/a/b.safetensors")).LinkTarget);
        Assert.Equal(64, etag.Length);
        Assert.True(File.Exists(Path.Combine(hub.Cache, ".locks", "models--owner--model", etag + ".lock")));
    }

    [Fact]
    public async Task A_hub_that_lists_names_only_is_asked_for_each_file()
    {
        var files = new Dictionary<string, byte[]> { ["config.json"] = FakeHub.Bytes(10, 2), ["model.safetensors"] = FakeHub.Bytes(300_000, 1) };
        await using var hub = new FakeHub(files);
        hub.OnHub = request => request.Path.StartsWith("/api/models/owner/model/revision/")
            ? StubAnswer.Json(FakeHub.Listing(files.Keys.Select(name => $$"""{"rfilename":"{{name}}"}""")))
            : request.Method != "HEAD" ? null
            : request.Path.EndsWith("config.json") ? new StubAnswer(200, files["config.json"], Headers: ("ETag", $"\"{FakeHub.Etag(files["config.json"])}\""))
            : new StubAnswer(302, Headers: [("Location", $"{hub.Storage.Address}elsewhere"), ("X-Linked-Size", "300000"), ("X-Linked-Etag", $"\"{FakeHub.Etag(files["model.safetensors"])}\"")]);
        await hub.PullAsync();
        hub.AssertComplete("config.json", "model.safetensors");
    }

    [Fact]
    public async Task An_empty_file_has_gits_well_known_hash()
    {
        await using var hub = new FakeHub(new() { ["empty.json"] = [] });
        await hub.PullAsync();
        Assert.True(File.Exists(Path.Combine(hub.RepositoryFolder, "blobs", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")));
    }

    [Fact]
    public async Task A_motion_adapter_comes_with_its_configuration_and_one_weight_file()
    {
        await using var hub = new FakeHub(Adapter());
        await hub.PullAsync();
        hub.AssertComplete("config.json", "diffusion_pytorch_model.safetensors");
    }

    [Fact]
    public async Task The_variant_asked_for_is_the_one_pulled()
    {
        await using var hub = new FakeHub(Adapter());
        await hub.PullAsync(with: options => options with { Variant = "fp16" });
        hub.AssertComplete("config.json", "diffusion_pytorch_model.fp16.safetensors");
    }

    [Fact]
    public async Task A_variant_that_is_not_there_is_refused_with_those_that_are()
    {
        await using var hub = new FakeHub(Adapter());
        var error = await Assert.ThrowsAsync<HubException>(() => hub.PullAsync(with: options => options with { Variant = "int8" }));
        Assert.Equal(HubFailure.NotFound, error.Failure);
        Assert.Contains("there are fp16", error.Message);
    }

    [Fact]
    public async Task One_named_file_is_pulled_alone_and_its_path_returned()
    {
        await using var hub = new FakeHub(Adapter());
        var path = await hub.PullAsync(":config.json");
        Assert.Equal(Path.Combine(hub.SnapshotFolder, "config.json"), path);
        hub.AssertComplete("config.json");
    }

    [Fact]
    public async Task A_commit_can_be_pulled_by_its_hash_and_leaves_no_ref()
    {
        await using var hub = new FakeHub(Adapter());
        Assert.Equal(hub.SnapshotFolder, await hub.PullAsync("@" + FakeHub.Commit));
        Assert.False(Directory.Exists(Path.Combine(hub.RepositoryFolder, "refs")));
    }

    [Fact]
    public async Task Large_files_come_in_ranges_over_several_connections()
    {
        await using var hub = new FakeHub(Adapter());
        await hub.PullAsync();
        var ranges = hub.Storage.Requests.Select(request => request.Range!.Value).OrderBy(range => range.From).ToList();
        Assert.Equal(16, ranges.Count);
        Assert.Equal(1_000_003, ranges.Sum(range => range.To - range.From + 1));
        Assert.Equal(1_000_003, hub.Storage.BodyBytes);
    }

    [Fact]
    public async Task Pulling_again_asks_for_the_listing_only()
    {
        await using var hub = new FakeHub(Adapter());
        await hub.PullAsync();
        var (requests, bytes) = (hub.Hub.Requests.Count, hub.Storage.BodyBytes);
        await hub.PullAsync();
        Assert.Equal((requests + 1, bytes), (hub.Hub.Requests.Count, hub.Storage.BodyBytes));
    }

    [Fact]
    public async Task Files_that_python_tools_left_are_not_pulled_again()
    {
        await using var hub = new FakeHub(Adapter());
        var weights = FakeHub.Bytes(1_000_003, 3);
        Directory.CreateDirectory(Path.Combine(hub.RepositoryFolder, "blobs"));
        File.WriteAllBytes(Path.Combine(hub.RepositoryFolder, "blobs", FakeHub.Etag(weights)), weights);
        await hub.PullAsync();
        hub.AssertComplete("config.json", "diffusion_pytorch_model.safetensors");
        Assert.Empty(hub.Storage.Requests);
    }

    [Fact]
    public async Task Where_links_cannot_be_made_the_snapshot_holds_the_files()
    {
        var same = FakeHub.Bytes(5000, 9);
        await using var hub = new FakeHub(new() { ["a.safetensors"] = FakeHub.Bytes(200_000, 1), ["b.safetensors"] = same, ["c.safetensors"] = same });
        await hub.PullAsync(with: options => options with { SymbolicLinks = false });
        Assert.All(Directory.EnumerateFiles(hub.SnapshotFolder), path => Assert.Null(new FileInfo(path).LinkTarget));
        Assert.Equal(3, Directory.EnumerateFiles(hub.SnapshotFolder).Count());
        Assert.Equal(same, File.ReadAllBytes(Path.Combine(hub.SnapshotFolder, "c.safetensors")));
        var bytes = hub.Storage.BodyBytes;
        await hub.PullAsync(with: options => options with { SymbolicLinks = false });
        Assert.Equal(bytes, hub.Storage.BodyBytes);
    }

    [Fact]
    public async Task The_token_goes_to_the_hub_and_never_to_the_storage_server()
    {
        await using var hub = new FakeHub(Adapter());
        await hub.PullAsync(with: options => options with { Token = "hf_secret" });
        Assert.All(hub.Hub.Requests, request => Assert.Equal("Bearer hf_secret", request.Token));
        Assert.NotEmpty(hub.Storage.Requests);
        Assert.All(hub.Storage.Requests, request => Assert.Null(request.Token));
        Assert.DoesNotContain("hf_secret", (hub.Options with { Token = "hf_secret" }).ToString());
    }

    [Fact]
    public async Task A_renamed_repository_is_followed_with_the_token()
    {
        await using var hub = new FakeHub(Adapter());
        hub.OnHub = request => request.Path.Contains("old/name")
            ? new StubAnswer(307, Headers: ("Location", request.Path.Replace("old/name", FakeHub.Repository))) : null;
        using var client = hub.Client(options => options with { Token = "hf_secret" });
        Assert.True(HubReference.TryParse("old/name", out var reference));
        var folder = await client.PullAsync(reference);
        Assert.Contains("models--old--name", folder);
        Assert.All(hub.Hub.Requests, request => Assert.Equal("Bearer hf_secret", request.Token));
    }

    [Fact]
    public async Task The_plan_lists_sizes_and_what_is_cached()
    {
        await using var hub = new FakeHub(Adapter());
        await hub.PullAsync(":config.json");
        using var client = hub.Client();
        Assert.True(HubReference.TryParse(FakeHub.Repository, out var reference));
        var plan = await client.PlanAsync(reference);
        Assert.Equal([("config.json", 700L), ("diffusion_pytorch_model.safetensors", 1_000_003L)], plan.Files.Select(file => (file.Name, file.Size)).Order());
        Assert.Equal((1_000_703L, 700L), (plan.BytesTotal, plan.BytesCached));
    }

    [Fact]
    public async Task Progress_ends_with_all_bytes_and_files()
    {
        await using var hub = new FakeHub(Adapter());
        List<HubProgress> reports = [];
        await hub.PullAsync(progress: new Reports(reports.Add));
        Assert.Equal((1_000_703L, 1_000_703L, 2, 2), (reports[^1].BytesDone, reports[^1].BytesTotal, reports[^1].FilesDone, reports[^1].FilesTotal));
        Assert.Equal(reports.Select(report => report.BytesDone).Order(), reports.Select(report => report.BytesDone));
    }

    [Fact]
    public async Task Pulls_of_one_repository_at_once_share_the_work()
    {
        await using var hub = new FakeHub(Adapter(weightBytes: 3_000_000));
        var folders = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => hub.PullAsync())));
        Assert.Single(folders.Distinct());
        hub.AssertComplete("config.json", "diffusion_pytorch_model.safetensors");
        Assert.Equal(3_000_000, hub.Storage.BodyBytes);
    }

    [Fact]
    public async Task A_blob_that_another_process_works_on_is_waited_for()
    {
        await using var hub = new FakeHub(new() { ["a.safetensors"] = FakeHub.Bytes(5000, 1) });
        var locks = Directory.CreateDirectory(Path.Combine(hub.Cache, ".locks", "models--owner--model")).FullName;
        var other = new FileStream(Path.Combine(locks, FakeHub.Etag(FakeHub.Bytes(5000, 1)) + ".lock"), FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        var pull = hub.PullAsync();
        while (hub.Time.Pauses.Count < 3)
            await Task.Delay(10);
        Assert.Empty(hub.Storage.Requests);
        other.Dispose();
        await pull;
        hub.AssertComplete("a.safetensors");
    }

    [Fact]
    public async Task Names_with_blanks_and_accents_are_pulled()
    {
        await using var hub = new FakeHub(new() { ["modèle de base/v 1#2?.safetensors"] = FakeHub.Bytes(5000, 1) });
        await hub.PullAsync();
        hub.AssertComplete("modèle de base/v 1#2?.safetensors");
    }
}
