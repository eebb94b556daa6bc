using AnimateDiff.Cli;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary><c>--method</c> on the command line.</summary>
public sealed class MethodCommandTests : ModelCommandTests
{
    [Fact]
    public async Task Text2video_zero_takes_the_image_model_alone_and_its_recipe_makes_the_clip_again()
    {
        ReferenceModels.CopyBase(_folder["embedded/base"], _vocabulary);                        // no motion module is there to be loaded
        var environment = new Dictionary<string, string> { [EmbeddedToybox.FolderVariable] = _folder["embedded"] };
        var (code, _, error) = await CliProcess.RunAsync(environment, "generate", "a dog", "--method", "text2video-zero", "--zero-motion", "-60,0", "--steps", "4", "--frames", "3", "--seed", "7", "--out", _folder["clip.webp"]);
        Assert.True(code == 0, error);
        var recipe = Recipe.FromJson(RecipeReader.Read(_folder["clip.webp"]), "");
        Assert.Equal(("toybox", null, GenerationMethod.Text2VideoZero, new ZeroShot { X = -60, Y = 0, T0 = 1, T1 = 2 }), (recipe.Base, recipe.Motion, recipe.Method, recipe.ZeroShot));

        (code, _, error) = await CliProcess.RunAsync(environment, "reproduce", _folder["clip.webp"], "--out", _folder["again.webp"]);
        Assert.True(code == 0, error);
        Assert.Equal(await File.ReadAllBytesAsync(_folder["clip.webp"], TestContext.Current.CancellationToken), await File.ReadAllBytesAsync(_folder["again.webp"], TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("leave out --motion", "--method", "text2video-zero")]
    [InlineData("tuned on a video", "--method", "tune-a-video")]
    [InlineData("X,Y", "--method", "text2video-zero", "--zero-motion", "left")]
    [InlineData("T0,T1", "--method", "text2video-zero", "--zero-steps", "44")]
    [InlineData("give --method text2video-zero", "--zero-motion", "12,12")]
    [InlineData("text2video-zero", "--method", "text-to-video")]
    public async Task What_cannot_be_done_is_refused(string reason, params string[] options)
    {
        var (code, _, error) = await CliProcess.RunAsync(["generate", "a dog", .. Model, .. options, "--out", _folder["clip.gif"]]);
        Assert.Equal(2, code);
        Assert.Contains(reason, error);
    }
}
