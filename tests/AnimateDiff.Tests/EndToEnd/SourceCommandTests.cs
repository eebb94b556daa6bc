using AnimateDiff.Video;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>Sources and changing prompts from the command line.</summary>
public sealed class SourceCommandTests : ModelCommandTests
{
    [Fact]
    public async Task A_video_made_anew_is_reproduced_from_a_source_that_moved()
    {
        var video = _folder["video.gif"];
        await VideoWriter.WriteAsync(video, (await VideoReader.ReadAsync(Goldens.Input("video-in"))).Frames, 8, "{}");
        var mask = _folder.Write("mask.png", await File.ReadAllBytesAsync(Path.Combine(Goldens.Input("video-in"), "000.png")));
        var (code, _, error) = await CliProcess.RunAsync([
            "generate", "a dog", "--video", video, "--mask", mask, "--strength", "0.6", "--prompt-at", "7:a cat", "--steps", "5", "--seed", "7", .. Model, "--out", _folder["clip.webp"],
        ]);
        Assert.True(code == 0, error);
        Assert.Contains("Denoising 3/3", error);
        var recipe = Recipe.FromJson(RecipeReader.Read(_folder["clip.webp"]), "clip.webp");
        Assert.Equal((8, 0.6, "a cat"), (recipe.Frames, recipe.Source!.Strength, Assert.Single(recipe.PromptsAt!).Text));

        File.Move(video, _folder["moved.gif"]);
        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["clip.webp"], "--out", _folder["again.webp"]);
        Assert.Equal(3, code);
        Assert.Contains("video.gif' does not exist", error);
        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["clip.webp"], "--video", _folder["moved.gif"], "--out", _folder["again.webp"]);
        Assert.True(code == 0, error);
        Assert.Equal((await VideoReader.ReadAsync(_folder["clip.webp"])).Frames.Pixels.ToArray(), (await VideoReader.ReadAsync(_folder["again.webp"])).Frames.Pixels.ToArray());
    }

    [Theory]
    [InlineData("--mask says what to do with a source", "--mask", "m.png")]
    [InlineData("--strength says what to do with a source", "--strength", "0.5")]
    [InlineData("a clip begins from one of them", "--video", "v.mp4", "--image", "i.png")]
    [InlineData("expected FRAME:TEXT", "--prompt-at", "a cat")]
    public async Task What_does_not_go_together_is_a_wrong_argument(string message, params string[] arguments)
    {
        var (code, _, error) = await CliProcess.RunAsync(["generate", "a dog", .. arguments, "--out", _folder["clip.gif"]]);
        Assert.Equal(2, code);
        Assert.Contains(message, error);
    }
}
