using AnimateDiff.Tests.ImagePrompts;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.EndToEnd;

public sealed class ImagePromptCommandTests : ModelCommandTests
{
    [Fact]
    public async Task An_animation_after_a_picture_is_written_reproduced_and_not_from_another_picture()
    {
        File.Copy(IPAdapterFixtures.Pictures[0], _folder["picture.png"]);
        var (code, _, error) = await CliProcess.RunAsync("generate", "a dog", "--frames", "2", "--steps", "1", "--seed", "7", "--base", Goldens.Model("nano-sd15"),
            "--motion", Goldens.Model("motion-v3.ckpt"), "--tokenizer", _vocabulary.Path, "--ip-adapter", IPAdapterFixtures.Plain + ":0.7", "--ip-image", _folder["picture.png"], "--out", _folder["clip.webp"]);
        Assert.True(code == 0, error);
        var recipe = Recipe.FromJson(RecipeReader.Read(_folder["clip.webp"]), "clip.webp");
        var recorded = Assert.Single(recipe.ImagePrompts!);
        Assert.Equal((IPAdapterFixtures.Plain, (Curve)0.7), (recorded.IPAdapter, recorded.Scale));
        string[] files = [_folder["picture.png"], IPAdapterFixtures.Plain, Path.Combine(IPAdapterFixtures.Encoder, "config.json"), Path.Combine(IPAdapterFixtures.Encoder, "model.safetensors")];
        Assert.All(files, file => Assert.Contains(file, recipe.Files.Select(own => own.Path)));

        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["clip.webp"], "--out", _folder["again.webp"]);
        Assert.True(code == 0, error);
        var (first, again) = (await VideoReader.ReadAsync(_folder["clip.webp"]), await VideoReader.ReadAsync(_folder["again.webp"]));
        Assert.Equal(first.Frames.Pixels.ToArray(), again.Frames.Pixels.ToArray());

        File.Copy(IPAdapterFixtures.Pictures[1], _folder["picture.png"], overwrite: true);
        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["clip.webp"], "--out", _folder["other.webp"]);
        Assert.Equal(3, code);
        Assert.Contains("picture.png is not the file that made the animation", error);

        File.Delete(_folder["picture.png"]);
        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["clip.webp"], "--out", _folder["other.webp"]);
        Assert.Equal(3, code);
        Assert.Contains("picture.png does not exist; --ip-image", error);
    }
}
