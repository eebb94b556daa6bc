using AnimateDiff.Tests.Finishing;
using AnimateDiff.Video;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>A second run, frames between frames and larger frames from the command line.</summary>
public sealed class FinishCommandTests : ModelCommandTests
{
    private string[] Small => [.. Model, "--width", "32", "--height", "32", "--frames", "3", "--steps", "2", "--seed", "7"];

    [Fact]
    public async Task A_finished_clip_is_reproduced_and_enhancing_a_plain_one_gives_the_same()
    {
        var upscaler = Upscaler("esrgan.safetensors");
        var finished = await GenerateAsync("finished.webp", "--hires", "1.5:0.5:4", "--hires-mode", "latent", "--interpolate", "2", "--upscale", "2", "--upscale-model", upscaler);
        Assert.Equal((5, 96, 96, 16), (finished.Frames.Frames, finished.Frames.Height, finished.Frames.Width, Math.Round(finished.Fps!.Value, 1)));      // WebP has whole milliseconds

        File.Move(upscaler, _folder["moved.safetensors"]);
        await RunAsync("reproduce", _folder["finished.webp"], "--upscale-model", _folder["moved.safetensors"], "--out", _folder["again.webp"]);
        await SameAsync("finished.webp", "again.webp");
        var (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["finished.webp"], "--out", _folder["never.webp"]);
        Assert.Equal(3, code);
        Assert.Contains("esrgan.safetensors", error);

        await GenerateAsync("plain.webp", "--hires", "1.5:0.5:4", "--hires-mode", "latent");
        await RunAsync("enhance", _folder["plain.webp"], "--interpolate", "2", "--out", _folder["more.webp"]);
        await RunAsync("enhance", _folder["more.webp"], "--upscale", "2", "--upscale-model", _folder["moved.safetensors"], "--out", _folder["enhanced.webp"]);
        await SameAsync("finished.webp", "enhanced.webp");
        await RunAsync("reproduce", _folder["enhanced.webp"], "--out", _folder["enhanced-again.webp"]);
        await SameAsync("finished.webp", "enhanced-again.webp");
        var recipe = Recipe.FromJson(RecipeReader.Read(_folder["enhanced.webp"]), "");
        Assert.Equal((8, 16, 2), (recipe.Fps, recipe.FpsOfOutput, recipe.Finish!.Count));
    }

    [Fact]
    public async Task A_video_of_someone_else_is_enhanced_and_that_is_reproduced()
    {
        var folder = _folder["pictures"];
        Directory.CreateDirectory(folder);
        for (var frame = 0; frame < 3; frame++)
            File.Copy(Path.Combine(Goldens.Input("video-in"), $"{frame:000}.png"), Path.Combine(folder, $"{frame}.png"));
        await RunAsync("enhance", folder, "--interpolate", "2", "--upscale", "2", "--closed", "--fps", "10", "--out", _folder["loop.webp"]);
        var (source, loop) = ((await VideoReader.ReadAsync(folder)).Frames, await VideoReader.ReadAsync(_folder["loop.webp"]));
        Assert.Equal((6, 2 * source.Height, 20), (loop.Frames.Frames, loop.Frames.Height, loop.Fps!.Value));

        await RunAsync("reproduce", _folder["loop.webp"], "--out", _folder["again.webp"]);
        await SameAsync("loop.webp", "again.webp");
        File.Copy(Path.Combine(folder, "0.png"), Path.Combine(folder, "2.png"), overwrite: true);
        var (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["loop.webp"], "--out", _folder["never.webp"]);
        Assert.Equal(3, code);
        Assert.Contains("is not the file that made the animation", error);
    }

    [Theory]
    [InlineData(2, "3 times as many", "generate", "a dog", "--interpolate", "3")]
    [InlineData(2, "give --upscale 2", "generate", "a dog", "--upscale-model", "x.pth")]
    [InlineData(2, "give --hires too", "generate", "a dog", "--hires-mode", "latent")]
    [InlineData(2, "pixel, latent or latent-nearest", "generate", "a dog", "--hires", "2", "--hires-mode", "area")]
    [InlineData(2, "fps is 80", "generate", "a dog", "--interpolate", "4", "--fps", "20")]
    [InlineData(2, "Nothing is asked for", "enhance", "clip.mp4")]
    [InlineData(3, "does not exist", "enhance", "clip.mp4", "--upscale", "2")]
    public async Task What_cannot_be_done_is_said_first(int expected, string message, params string[] arguments)
    {
        var (code, _, error) = await CliProcess.RunAsync([.. arguments, "--out", _folder["clip.gif"]]);
        Assert.True(code == expected, error);
        Assert.Contains(message, error);
    }

    private string Upscaler(string name)
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(_folder[name], UpscalingTests.Weights(1).Select(entry => KeyValuePair.Create(entry.Key, WeightTensor.Of(entry.Value))));
        return _folder[name];
    }

    private async Task<VideoClip> GenerateAsync(string name, params string[] more)
    {
        await RunAsync(["generate", "a dog", .. Small, .. more, "--out", _folder[name]]);
        return await VideoReader.ReadAsync(_folder[name]);
    }

    private static async Task RunAsync(params string[] args)
    {
        var (code, _, error) = await CliProcess.RunAsync(args);
        Assert.True(code == 0, error);
    }

    private async Task SameAsync(string one, string other) =>
        Assert.Equal((await VideoReader.ReadAsync(_folder[one])).Frames.Pixels.ToArray(), (await VideoReader.ReadAsync(_folder[other])).Frames.Pixels.ToArray());
}
