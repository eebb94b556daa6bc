using System.Text.Json;
using AnimateDiff.Evaluation;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Evaluation;

public sealed class EvaluatorTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Systems_have_means_with_intervals_and_single_clips_have_none()
    {
        foreach (var (index, right) in new[] { 1.0, 2, 3 }.Index())
            await WriteAsync($"fast/{index}.gif", MadeClips.Moving(3, 48, 48, right, 0));
        await WriteAsync("still.webp", MadeClips.Moving(3, 48, 48, 0, 0));
        var systems = await SystemFiles.OfAsync([_folder["fast"], _folder["still.webp"]], TestContext.Current.CancellationToken);
        Assert.Equal([("fast", 3), ("still.webp", 1)], systems.Select(system => (system.Name, system.Clips.Count)));
        var report = await ClipScorerTests.RunAsync(new(systems) { Closed = true });

        Assert.Equal(100 * 2 / 48.0, report.Clips.Take(3).Average(clip => clip.Right!.Value), 0.1);
        Assert.All(report.Clips, clip => Assert.True(clip is { TextScore: null, Psnr: null, Watermark: null, Seam: not null, Flicker: not null }));
        var rows = report.Table().Split('\n');
        Assert.Matches(@"^ +fast +still\.webp$", rows[0]);
        Assert.Matches(@"^clips +3 +1$", rows[1]);
        Assert.Contains(rows, row => System.Text.RegularExpressions.Regex.IsMatch(row, @"^motion .* 4\.\d\d \(\d\.\d\d to \d\.\d\d\) +0\.00$"));

        using var json = JsonDocument.Parse(report.ToJson());
        var motion = json.RootElement.GetProperty("systems")[0].GetProperty("means").GetProperty("motion");
        Assert.Equal(3, motion.GetProperty("count").GetInt32());
        Assert.Equal(report.Clips.Take(3).Average(clip => clip.Motion!.Value), motion.GetProperty("mean").GetDouble(), 9);
        Assert.Equal(4, json.RootElement.GetProperty("clips").GetArrayLength());
        Assert.False(json.RootElement.GetProperty("clips")[0].TryGetProperty("text_score", out _));

        report.WritePlot(_folder["plot.png"]);
        var plot = (await VideoReader.ReadAsync(_folder["plot.png"], cancellationToken: TestContext.Current.CancellationToken)).Frames;
        Assert.Equal(1040, plot.Width);
        Assert.True(plot.Pixels.Span.IndexOf(new byte[] { 0, 114, 178 }) > 0 && plot.Pixels.Span.IndexOf(new byte[] { 213, 94, 0 }) > 0, "a system's colour is missing");
    }

    [Fact]
    public async Task A_clip_is_compared_with_the_one_of_its_name()
    {
        await WriteAsync("mine/a.webp", MadeClips.Moving(2, 32, 32, 1, 0));
        await WriteAsync("theirs/a.webp", MadeClips.Moving(2, 32, 32, 1, 0));
        await WriteAsync("theirs/b.webp", MadeClips.Moving(3, 32, 32, 0, 0));
        var mine = new EvaluationRequest([new("mine", [_folder["mine/a.webp"]])]);
        var same = (await ClipScorerTests.RunAsync(mine with { Against = _folder["theirs"] })).Clips.Single();
        Assert.Equal(60, same.Psnr);
        Assert.Equal(1, same.Ssim!.Value, 1e-4);
        var error = await Assert.ThrowsAsync<FileException>(() => ClipScorerTests.RunAsync(mine with { Against = _folder["theirs/b.webp"] }));
        Assert.Contains("3 frames of 32×32", error.Message);
    }

    [Fact]
    public async Task What_cannot_be_measured_is_said()
    {
        await WriteAsync("one.png/000.png", MadeClips.Moving(1, 32, 32, 0, 0));
        var one = new EvaluationRequest([new("one", [_folder["one.png"]])]);
        Assert.Contains("one frame", (await Assert.ThrowsAsync<FileException>(() => ClipScorerTests.RunAsync(one))).Message);
        var scored = (await ClipScorerTests.RunAsync(one with { Clip = Goldens.Model("clip-score"), Reference = Goldens.Input("clip-frames") })).Clips.Single();
        Assert.True(scored is { DomainSimilarity: not null, Smoothness: null, TextScore: null, Motion: null, Flicker: null, Change: null });

        Directory.CreateDirectory(_folder["mixed"]);
        await WriteAsync("a/000.png", MadeClips.Moving(1, 32, 32, 0, 0));
        await WriteAsync("b/000.png", MadeClips.Moving(1, 32, 40, 0, 0));
        File.Copy(_folder["a/000.png"], _folder["mixed/0.png"]);
        File.Copy(_folder["b/000.png"], _folder["mixed/1.png"]);
        Assert.Contains("32×40", (await Assert.ThrowsAsync<FileException>(() => ClipScorerTests.RunAsync(one with { Systems = [new("", [_folder["mixed"]])] }))).Message);

        await Assert.ThrowsAsync<RequestException>(() => ClipScorerTests.RunAsync(new([])));
        Assert.Contains("--clip", (await Assert.ThrowsAsync<RequestException>(() => ClipScorerTests.RunAsync(one with { Reference = _folder.Path }))).Message);
        Assert.Contains("--clip", (await Assert.ThrowsAsync<RequestException>(() => ClipScorerTests.RunAsync(one with { Prompts = ["a"] }))).Message);
        await Assert.ThrowsAsync<RequestException>(() => ClipScorerTests.RunAsync(one with { Clip = Goldens.Model("clip-score"), Prompts = ["a", "b"] }));
        Assert.Contains("does not exist", (await Assert.ThrowsAsync<FileException>(() => ClipScorerTests.RunAsync(one with { Against = _folder["none"] }))).Message);
    }

    [Fact]
    public async Task Names_patterns_and_folders_become_systems()
    {
        var token = TestContext.Current.CancellationToken;
        foreach (var name in new[] { "runs/a/1.gif", "runs/b/1.gif", "runs/b/2.gif" })
            await WriteAsync(name, MadeClips.Moving(2, 16, 16, 1, 0));
        await WriteAsync("frames/000.png", MadeClips.Moving(1, 16, 16, 1, 0));
        string Show(IReadOnlyList<EvaluatedSystem> systems) => string.Join(' ', systems.Select(system => $"{system.Name}:{string.Join(',', system.Clips.Select(clip => Path.GetRelativePath(_folder.Path, clip)))}"));
        Assert.Equal("x:runs/b/1.gif,runs/b/2.gif,runs/a/1.gif frames:frames",
            Show(await SystemFiles.OfAsync([$"x={_folder["runs/b/*.gif"]}", _folder["frames"] + "/", $"x={_folder["runs/a/1.gif"]}"], token)));
        Assert.Equal($"{_folder["runs/a/1.gif"]}:runs/a/1.gif {_folder["runs/b/1.gif"]}:runs/b/1.gif", Show(await SystemFiles.OfAsync([_folder["runs/a/1.gif"], _folder["runs/b/1.gif"]], token)));
        Assert.Equal($"{Path.GetFileName(_folder.Path)}:frames", Show(await SystemFiles.OfAsync([_folder.Path], token)));
        await Assert.ThrowsAsync<FileException>(() => SystemFiles.OfAsync([_folder["*.mp4"]], token));
        await Assert.ThrowsAsync<FileException>(() => SystemFiles.OfAsync(["x=/nowhere/a.gif"], token));
        Directory.CreateDirectory(_folder["empty"]);
        Assert.Contains("holds no clip", (await Assert.ThrowsAsync<FileException>(() => SystemFiles.OfAsync([_folder["empty"]], token))).Message);
    }

    /// <summary>A clip in a lossless format but for GIF's palette, which grey fits into; a name in a folder that ends with .png makes its folder's pictures.</summary>
    private async Task WriteAsync(string name, VideoFrames clip)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
        if (Path.GetExtension(name) == ".png")
            ContactSheet.Write(_folder[name], clip, columns: 1);
        else
            await VideoWriter.WriteAsync(_folder[name], clip, 8, "{}", cancellationToken: TestContext.Current.CancellationToken);
    }
}
