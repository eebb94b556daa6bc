using AnimateDiff.Video;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>The approximate modes on the command line.</summary>
public sealed class SpeedCommandTests : ModelCommandTests
{
    [Fact]
    public async Task Fast_says_what_it_chose_and_its_recipe_makes_the_clip_again()
    {
        var (code, _, error) = await CliProcess.RunAsync(["generate", "a dog", "--fast", "--steps", "3", "--deep-cache", "2:1", "--frames", "2", "--seed", "7", .. Model, "--out", _folder["clip.webp"]]);
        Assert.True(code == 0, error);
        var recipe = Recipe.FromJson(RecipeReader.Read(_folder["clip.webp"]), "");
        Assert.Equal((3, new DeepCache(2, 1)), (recipe.Steps, recipe.DeepCache));
        Assert.Contains($"--fast: --scheduler {recipe.Scheduler} --guidance-interval", error);

        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["clip.webp"], "--out", _folder["again.webp"]);
        Assert.True(code == 0, error);
        Assert.Equal(await File.ReadAllBytesAsync(_folder["clip.webp"], TestContext.Current.CancellationToken), await File.ReadAllBytesAsync(_folder["again.webp"], TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("other frames in every step", "--deep-cache", "3", "--context", "16:4")]
    [InlineData("INTERVAL:BRANCH", "--deep-cache", "often")]
    [InlineData("START-END", "--guidance-interval", "0.5")]
    public async Task What_cannot_be_done_is_refused(string reason, params string[] options)
    {
        var (code, _, error) = await CliProcess.RunAsync(["generate", "a dog", .. Model, .. options, "--out", _folder["clip.gif"]]);
        Assert.Equal(2, code);
        Assert.Contains(reason, error);
    }
}
