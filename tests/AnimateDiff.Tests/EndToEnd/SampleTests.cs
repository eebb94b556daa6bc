using System.Diagnostics;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.EndToEnd;

public sealed class SampleTests
{
    [Fact]
    public async Task The_sample_program_makes_an_animation()
    {
        using var folder = new TempFolder();
        using var vocabulary = Text.Vocabularies.Small();
        ReferenceModels.CopyBase(folder["sd15"], vocabulary);
        var program = Path.Combine(Goldens.Repository, "artifacts", "bin", "Hello", "release", "Hello");
        var info = new ProcessStartInfo(program, [folder["sd15"], Goldens.Model("motion-v2.safetensors"), "a dog", folder["clip.gif"]]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(info)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await error);
        Assert.Equal(folder["clip.gif"], (await output).Trim());
        Assert.Equal(16, (await VideoReader.ReadAsync(folder["clip.gif"])).Frames.Frames);
    }
}
