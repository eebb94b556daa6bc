using System.Diagnostics;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Video;

public sealed class VideoFailureTests
{
    [Theory]
    [InlineData("clip.gif")]
    [InlineData("clip.webp")]
    [InlineData("clip.apng")]
    [InlineData("clip.mp4")]
    [InlineData("clip.webm")]
    [InlineData("clip/")]
    public async Task Cancelling_in_the_middle_leaves_nothing(string name)
    {
        using var folder = new TempFolder();
        using var source = new CancellationTokenSource();
        var progress = new VideoWriterTests.Reporter(frame =>
        {
            if (frame == 20)
                source.Cancel();
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => VideoWriter.WriteAsync(folder[name], Clips.Noise(64, 128, 128), 8, "{}", progress, source.Token));
        Assert.Empty(folder.Entries);
        Assert.DoesNotContain(Process.GetProcessesByName("ffmpeg"), ffmpeg => CommandLine(ffmpeg).Contains(folder.Path));
    }

    [Theory]
    [InlineData("clip.gif")]
    [InlineData("clip.mp4")]
    public async Task A_failed_run_leaves_the_file_of_the_one_before(string name)
    {
        using var folder = new TempFolder();
        await VideoWriter.WriteAsync(folder[name], Clips.Flat(2, 16, 16), 8, "{\"first\": 1}");
        using var source = new CancellationTokenSource();
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => VideoWriter.WriteAsync(folder[name], Clips.Noise(8, 16, 16), 8, "{}", cancellationToken: source.Token));
        Assert.Equal("{\"first\": 1}", RecipeReader.Read(folder[name]));
        await VideoWriter.WriteAsync(folder[name], Clips.Flat(3, 16, 16), 8, "{\"second\": 2}");
        Assert.Equal("{\"second\": 2}", RecipeReader.Read(folder[name]));
        Assert.Equal([name], folder.Entries);
    }

    [Theory]
    [InlineData("clip.gif")]
    [InlineData("clip.mp4")]
    [InlineData("frames/")]
    public async Task A_place_that_cannot_be_written_to_is_named(string name)
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder["file"], "not a folder");
        var path = folder["file/" + name];
        var error = await Assert.ThrowsAsync<FileException>(() => VideoWriter.WriteAsync(path, Clips.Flat(2, 16, 16), 8, "{}"));
        Assert.Contains(path, error.Message);
        Assert.Throws<FileException>(() => VideoWriter.Check(path));
        Assert.Equal(["file"], folder.Entries);
    }

    [Fact]
    public async Task A_full_disk_is_reported_as_such()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "needs /dev/full");
        using var folder = new TempFolder();
        var job = new EncodeJob(Clips.Noise(4, 64, 64), 8, "{}", null, CancellationToken.None);
        var error = await Assert.ThrowsAsync<FileException>(() => OutputFile.WriteAsync(folder["clip.gif"], _ => Task.Run(() =>
        {
            using var full = new FileStream("/dev/full", FileMode.Open, FileAccess.Write);
            GifWriter.Write(full, job);
        })));
        Assert.Contains("No space left", error.Message);
        error = await Assert.ThrowsAsync<FileException>(
            () => OutputFile.WriteAsync(folder["clip.webm"], _ => FfmpegEncoder.WriteAsync("/dev/full", job, FfmpegEncoder.WebM)));
        Assert.True(error.Message.Contains("No space left"), error.Message);
        Assert.Empty(folder.Entries);
    }

    [Fact]
    public async Task A_checked_path_can_be_written_and_checking_leaves_nothing()
    {
        using var folder = new TempFolder();
        foreach (var name in new[] { "new/deep/clip.gif", "new/frames/", "clip.mp4" })
        {
            VideoWriter.Check(folder[name]);
            Assert.Empty(folder.Entries);
        }
        await VideoWriter.WriteAsync(folder["new/deep/clip.gif"], Clips.Flat(1, 8, 8), 8, "{}");
        Assert.True(File.Exists(folder["new/deep/clip.gif"]));
        Assert.Throws<RequestException>(() => VideoWriter.Check(folder["clip.avi"]));
    }

    [Fact]
    public async Task Without_ffmpeg_the_message_says_how_to_get_it_and_what_works_without()
    {
        using var folder = new TempFolder();
        using var empty = new TempFolder();
        await VideoWriter.WriteAsync(folder["there.mp4"], Clips.Flat(1, 16, 16), 8, "{}");
        Ffmpeg.SearchPath.Value = empty.Path;
        var errors = new[]
        {
            await Assert.ThrowsAsync<FileException>(() => VideoWriter.WriteAsync(folder["clip.mp4"], Clips.Flat(1, 16, 16), 8, "{}")),
            await Assert.ThrowsAsync<FileException>(() => VideoReader.ReadAsync(folder["there.mp4"])),
            Assert.Throws<FileException>(() => RecipeReader.Read(folder["there.mp4"])),
            Assert.Throws<FileException>(() => VideoWriter.Check(folder["clip.webm"])),
        };
        Assert.All(errors, error => Assert.True(error.Message.Contains("apt-get install ffmpeg") && error.Message.Contains(".gif"), error.Message));
        foreach (var name in new[] { "clip.gif", "clip.webp", "clip.apng", "clip/" })
        {
            VideoWriter.Check(folder[name]);
            await VideoWriter.WriteAsync(folder[name], Clips.Flat(2, 16, 16), 8, "{}");
            Assert.Equal("{}", RecipeReader.Read(folder[name]));
        }
    }

    private static string CommandLine(Process process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process.Id}/cmdline");
        }
        catch (IOException)
        {
            return "";
        }
    }
}
