using AnimateDiff.Tests.EndToEnd;

namespace AnimateDiff.Tests.Toybox;

public sealed class ToyboxCommandTests
{
    [Fact]
    public async Task The_command_renders_what_was_asked_for_once()
    {
        using var folder = new TempFolder();
        string[] command = ["toybox", folder["set"], "--images", "3", "--neon", "2", "--videos", "1", "--seed", "5"];

        var (code, output, error) = await CliProcess.RunAsync(command);
        Assert.Equal((0, folder["set"]), (code, output.Trim()));
        Assert.Contains("Rendering images 3/3", error);
        Assert.Equal([3, 2, 1], new[] { "images/*.png", "neon/*.png", "videos/*.webp" }.Select(files => Directory.GetFiles(folder["set"], files).Length));

        (code, _, error) = await CliProcess.RunAsync(command);
        Assert.Equal(2, code);
        Assert.Contains("is not empty", error);
    }

    [Fact]
    public async Task A_negative_number_is_refused()
    {
        var (code, _, error) = await CliProcess.RunAsync("toybox", "nowhere", "--images", "-1");
        Assert.Equal(2, code);
        Assert.Contains("--images is -1", error);
    }
}
