using AnimateDiff.Tests.Hub;
using AnimateDiff.Tests.Text;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>Hub names on the command line, against a hub on this machine.</summary>
public sealed class HubTests
{
    [Fact]
    public async Task Models_come_from_the_hub_once_and_are_recorded_by_their_names()
    {
        using var vocabulary = Vocabularies.Small();
        using var folder = new TempFolder();
        await using var hub = new FakeHub(Files(vocabulary));
        var environment = new Dictionary<string, string> { ["HF_ENDPOINT"] = hub.Hub.Address.ToString(), ["HF_HUB_CACHE"] = folder["cache"], ["HF_HUB_OFFLINE"] = "0" };
        string[] command = ["generate", "a dog", "--frames", "2", "--steps", "1", "--seed", "3", "--base", FakeHub.Repository, "--motion", $"{FakeHub.Repository}:motion.safetensors"];

        var (code, output, error) = await CliProcess.RunAsync(environment, [.. command, "--out", folder["clip.gif"]]);
        Assert.True(code == 0, error);
        Assert.Contains("Pulling", error);
        var recipe = Recipe.FromJson(RecipeReader.Read(output.Trim()), "");
        Assert.Equal((FakeHub.Repository, $"{FakeHub.Repository}:motion.safetensors"), (recipe.Base, recipe.Motion));

        environment["HF_HUB_OFFLINE"] = "1";
        (code, _, error) = await CliProcess.RunAsync(environment, ["reproduce", folder["clip.gif"], "--out", folder["again.gif"]]);
        Assert.True(code == 0, error);
        Assert.Equal(await File.ReadAllBytesAsync(folder["clip.gif"]), await File.ReadAllBytesAsync(folder["again.gif"]));

        (code, _, error) = await CliProcess.RunAsync(environment, ["pull", "owner/other"]);
        Assert.Equal(3, code);
        Assert.Contains("owner/other", error);
    }

    private static Dictionary<string, byte[]> Files(TempFolder vocabulary)
    {
        var model = Goldens.Model("nano-sd15");
        var files = Directory.EnumerateFiles(model, "*", SearchOption.AllDirectories)
            .ToDictionary(path => Path.GetRelativePath(model, path).Replace('\\', '/'), File.ReadAllBytes);
        foreach (var name in new[] { "vocab.json", "merges.txt" })
            files[$"tokenizer/{name}"] = File.ReadAllBytes(vocabulary[name]);
        files["motion.safetensors"] = File.ReadAllBytes(Goldens.Model("motion-v2.safetensors"));
        return files;
    }
}
