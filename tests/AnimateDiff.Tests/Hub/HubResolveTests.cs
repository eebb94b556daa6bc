using AnimateDiff.Hub;

namespace AnimateDiff.Tests.Hub;

public sealed class HubResolveTests
{
    private static Dictionary<string, byte[]> Adapter() => new()
    {
        ["config.json"] = FakeHub.Bytes(700, 2),
        ["diffusion_pytorch_model.safetensors"] = FakeHub.Bytes(50_000, 3),
    };

    [Fact]
    public async Task A_path_that_exists_is_taken_as_it_is()
    {
        await using var hub = new FakeHub(Adapter());
        using var folder = new TempFolder();
        using var client = hub.Client();
        Assert.Equal(folder.Path, await client.ResolveAsync(folder.Path));
        Assert.Empty(hub.Hub.Requests);
    }

    [Fact]
    public async Task A_name_is_pulled_once_and_found_without_network_afterwards()
    {
        await using var hub = new FakeHub(Adapter());
        using var client = hub.Client();
        Assert.Equal(hub.SnapshotFolder, await client.ResolveAsync(FakeHub.Repository));
        hub.Hub.Requests.Clear();
        Assert.Equal(hub.SnapshotFolder, await client.ResolveAsync(FakeHub.Repository));
        Assert.Equal(Path.Combine(hub.SnapshotFolder, "config.json"), await client.ResolveAsync(FakeHub.Repository + ":config.json"));
        Assert.Empty(hub.Hub.Requests);
    }

    [Fact]
    public async Task A_snapshot_with_a_part_of_the_model_only_is_completed()
    {
        await using var hub = new FakeHub(Adapter());
        await hub.PullAsync(":config.json");
        using var client = hub.Client();
        await client.ResolveAsync(FakeHub.Repository);
        hub.AssertComplete("config.json", "diffusion_pytorch_model.safetensors");
    }

    [Fact]
    public async Task A_link_whose_blob_is_gone_is_repaired()
    {
        await using var hub = new FakeHub(Adapter());
        using var client = hub.Client();
        await client.ResolveAsync(FakeHub.Repository);
        File.Delete(Path.Combine(hub.RepositoryFolder, "blobs", FakeHub.Etag(Adapter()["diffusion_pytorch_model.safetensors"])));
        await client.ResolveAsync(FakeHub.Repository);
        hub.AssertComplete("config.json", "diffusion_pytorch_model.safetensors");
    }

    [Fact]
    public async Task Offline_uses_the_cache_and_otherwise_tells_the_command()
    {
        await using var hub = new FakeHub(Adapter());
        using var offline = hub.Client(options => options with { Offline = true });
        var error = await Assert.ThrowsAsync<HubException>(() => offline.ResolveAsync(FakeHub.Repository));
        Assert.Contains("run `animatediff pull owner/model` once with a network", error.Message);
        Assert.Empty(hub.Hub.Requests);
        await hub.PullAsync();
        hub.Hub.Requests.Clear();
        Assert.Equal(hub.SnapshotFolder, await offline.ResolveAsync(FakeHub.Repository));
        Assert.Empty(hub.Hub.Requests);
    }

    [Fact]
    public async Task A_path_that_is_not_there_is_said_to_be_missing()
    {
        await using var hub = new FakeHub(Adapter());
        using var client = hub.Client();
        var error = await Assert.ThrowsAsync<FileException>(() => client.ResolveAsync("models/none.safetensors"));
        Assert.Equal("models/none.safetensors", error.Path);
        Assert.Empty(hub.Hub.Requests);
        var unknown = await Assert.ThrowsAsync<HubException>(() => client.ResolveAsync("models/none"));
        Assert.Contains("models/none is no path on this machine, and: There is no repository models/none", unknown.Message);
    }
}
