using System.Text.Json;
using AnimateDiff.Toybox;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Toybox;

public sealed class ToyboxWriterTests
{
    private static readonly ToyboxOptions Few = new(Images: 5, Neon: 3, Videos: 4, Validation: 2, Camera: 2);

    [Fact]
    public async Task Two_runs_write_the_same_bytes()
    {
        using var folder = new TempFolder();
        await ToyboxWriter.WriteAsync(folder["a"], 1, Few);
        await ToyboxWriter.WriteAsync(folder["b"], 1, Few);
        await ToyboxWriter.WriteAsync(folder["c"], 2, Few);

        var files = Directory.GetFiles(folder["a"], "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(folder["a"], file)).Order().ToArray();
        Assert.Equal(5 + 3 + 4 + 2 + 2 + 5 + 4, files.Length);
        foreach (var file in files)
            Assert.Equal(File.ReadAllBytes(Path.Combine(folder["a"], file)), File.ReadAllBytes(Path.Combine(folder["b"], file)));
        Assert.NotEqual(File.ReadAllText(Path.Combine(folder["a"], "videos", "captions.jsonl")), File.ReadAllText(Path.Combine(folder["c"], "videos", "captions.jsonl")));
        Assert.Equal(["a", "b", "c"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName).Order());      // nothing unfinished beside
    }

    [Fact]
    public async Task Clips_come_back_as_rendered_with_their_caption()
    {
        using var folder = new TempFolder();
        await ToyboxWriter.WriteAsync(folder["set"], 1, Few);

        var lines = File.ReadAllLines(Path.Combine(folder["set"], "videos", "captions.jsonl"));
        Assert.Equal(4, lines.Length);
        foreach (var line in lines)
        {
            using var entry = JsonDocument.Parse(line);
            var clip = await VideoReader.ReadAsync(Path.Combine(folder["set"], "videos", entry.RootElement.GetProperty("file_name").GetString()!));
            var scene = ToyboxWriter.ReadScene(line);
            Assert.Equal(scene.Caption, entry.RootElement.GetProperty("text").GetString());
            Assert.Equal(ToyRenderer.Clip(scene, watermark: true).Pixels.ToArray(), clip.Frames.Pixels.ToArray());
            Assert.Equal(8, clip.Fps);
        }
        var still = await VideoReader.ReadAsync(Path.Combine(folder["set"], "camera", "000001.png"));
        Assert.Equal((128, 128), (still.Frames.Width, still.Frames.Height));
    }

    [Fact]
    public async Task A_folder_with_something_in_it_is_left_alone()
    {
        using var folder = new TempFolder();
        folder.Write("set/mine.txt", "mine");

        var error = await Assert.ThrowsAsync<RequestException>(() => ToyboxWriter.WriteAsync(folder["set"], 1, Few));
        Assert.Contains(folder["set"], error.Message);
        Assert.Equal(["set", "set/mine.txt"], folder.Entries);
    }

    [Fact]
    public async Task Cancelling_leaves_nothing()
    {
        using var folder = new TempFolder();
        using var cancellation = new CancellationTokenSource();
        var progress = new Stop(cancellation);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ToyboxWriter.WriteAsync(folder["set"], 1, Few, progress, cancellation.Token));
        Assert.Empty(folder.Entries);
    }

    private sealed class Stop(CancellationTokenSource cancellation) : IProgress<ToyboxProgress>
    {
        public void Report(ToyboxProgress value) => cancellation.Cancel();
    }
}
