using AnimateDiff.Video;

namespace AnimateDiff.Tests.EndToEnd;

public sealed class LongClipTests : ModelCommandTests
{
    [Fact]
    public async Task A_loop_longer_than_the_motion_module_is_generated_and_made_again()
    {
        var (code, _, error) = await CliProcess.RunAsync([
            "generate", "a dog", "--frames", "36", "--width", "32", "--height", "32", "--steps", "1", "--seed", "7",
            "--context", "16:4:closed", "--noise", "repeated", "--freeu", "0.9,0.2,1.2,1.4", "--pag", "2:mid", "--guidance-rescale", "0.5", "--free-init", "2",
            "--base", Goldens.Model("nano-sd15"), "--motion", Goldens.Model("motion-v2.safetensors"), "--tokenizer", _vocabulary.Path, "--out", _folder["loop.webp"],
        ]);
        Assert.True(code == 0, error);
        Assert.Contains("Denoising 2/2", error);
        var recipe = Recipe.FromJson(RecipeReader.Read(_folder["loop.webp"]), "");
        Assert.Equal((new FrameContext(16, 4, Closed: true), NoiseKind.Repeated, 0.5, 2), (recipe.Context, recipe.InitialNoise, recipe.GuidanceRescale, recipe.FreeInit));

        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["loop.webp"], "--out", _folder["again.webp"]);
        Assert.True(code == 0, error);
        var (first, again) = (await VideoReader.ReadAsync(_folder["loop.webp"]), await VideoReader.ReadAsync(_folder["again.webp"]));
        Assert.Equal(36, first.Frames.Frames);
        Assert.Equal(first.Frames.Pixels.ToArray(), again.Frames.Pixels.ToArray());
    }
}
