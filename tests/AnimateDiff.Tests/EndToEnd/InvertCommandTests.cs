using AnimateDiff.Video;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>Inverting a clip, and generating from its latents, from the command line.</summary>
public sealed class InvertCommandTests : ModelCommandTests
{
    [Fact]
    public async Task A_clip_is_inverted_and_edited_with_the_files_settings_and_reproduced_from_latents_that_moved()
    {
        var (code, _, error) = await CliProcess.RunAsync(["generate", "a dog", "--frames", "3", "--steps", "2", "--seed", "1", .. Model, "--out", _folder["dog.webp"]]);
        Assert.True(code == 0, error);
        var latents = _folder["dog.safetensors"];
        (code, var output, error) = await CliProcess.RunAsync(["invert", _folder["dog.webp"], "--steps", "4", "--scheduler-option", "timestep_spacing=trailing", .. Model, "--out", latents]);
        Assert.True(code == 0, error);
        Assert.Equal(latents, output.Trim());
        Assert.Contains("as \"a dog\"", error);                             // from the clip's recipe
        Assert.Contains("Inverting 4/4", error);
        var made = LatentsFile.Open(latents);
        Assert.Equal((3, 4, "trailing", _folder["dog.webp"]), (made.Frames, made.Recipe!.Steps, made.Recipe.SchedulerOptions["timestep_spacing"], made.Recipe.Source!.Path));

        (code, _, error) = await CliProcess.RunAsync(["generate", "a cat", "--latents", latents, "--guidance", "2", "--seed", "1", .. Model, "--out", _folder["cat.webp"]]);
        Assert.True(code == 0, error);
        Assert.DoesNotContain("warning", error);
        var recipe = Recipe.FromJson(RecipeReader.Read(_folder["cat.webp"]), "");
        Assert.Equal((3, 4, "trailing", SourceKind.Latents), (recipe.Frames, recipe.Steps, recipe.SchedulerOptions["timestep_spacing"], recipe.Source!.Kind));

        _folder.Write("other.yaml", $"latents: {latents}\nsteps: 3\nseed: 1\n");
        (code, _, error) = await CliProcess.RunAsync(["generate", "a cat", "--config", _folder["other.yaml"], .. Model, "--out", _folder["other.webp"]]);
        Assert.True(code == 0, error);
        Assert.Contains("was inverted otherwise (steps 4, here 3)", error);

        File.Move(latents, _folder["moved.safetensors"]);
        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["cat.webp"], "--out", _folder["again.webp"]);
        Assert.Equal(3, code);
        Assert.Contains("dog.safetensors' does not exist", error);
        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["cat.webp"], "--latents", _folder["moved.safetensors"], "--out", _folder["again.webp"]);
        Assert.True(code == 0, error);
        Assert.Equal((await VideoReader.ReadAsync(_folder["cat.webp"])).Frames.Pixels.ToArray(), (await VideoReader.ReadAsync(_folder["again.webp"])).Frames.Pixels.ToArray());
        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["cat.webp"], "--video", _folder["dog.webp"], "--out", _folder["again.webp"]);
        Assert.Equal(2, code);
        Assert.Contains("--video is given, and the animation was made without", error);
    }

    [Theory]
    [InlineData(2, "a clip begins from one of them", "generate", "a dog", "--latents", "l.safetensors", "--video", "v.mp4")]
    [InlineData(2, "--latents are noise", "generate", "a dog", "--latents", "l.safetensors", "--strength", "0.5")]
    [InlineData(3, "does not exist", "generate", "a dog", "--latents", "l.safetensors")]
    [InlineData(3, "does not exist", "invert", "v.mp4")]
    [InlineData(2, "expected KEY=VALUE", "invert", "v.mp4", "--scheduler-option", "eta")]
    public async Task What_cannot_be_is_said(int expected, string message, params string[] arguments)
    {
        var (code, _, error) = await CliProcess.RunAsync([.. arguments, "--out", _folder["out.webp"]]);
        Assert.Equal(expected, code);
        Assert.Contains(message, error);
    }
}
