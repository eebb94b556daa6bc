using System.Text.Json;
using AnimateDiff.Cli;
using AnimateDiff.Tests.EndToEnd;
using AnimateDiff.Tests.Video;
using AnimateDiff.Training.Dataset;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Training.Dataset;

public sealed class DatasetCheckTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_report_tells_lengths_rates_sizes_captions_motion_cuts_and_what_is_unreadable()
    {
        using var folder = new TempFolder();
        await VideoWriter.WriteAsync(folder["cut.mp4"], Cut(10, 7), 10, "{}");
        await VideoWriter.WriteAsync(folder["moving.webm"], Clips.Moving(20, 64, 32), 20, "{}");
        await VideoWriter.WriteAsync(folder["still.gif"], Still(12), 8, "{}");
        await VideoWriter.WriteAsync(folder["image.webp"], Clips.Moving(1, 32, 32), 8, "{}");
        folder.Write("broken.mp4", "");
        folder.Write("cut.txt", "one two three");
        folder.Write("moving.txt", "five words in this one");
        var reports = new List<DatasetProgress>();
        var report = await DatasetCheck.RunAsync([folder.Path], progress: new ProgressDisplay.Relay<DatasetProgress>(reports.Add), cancellationToken: Cancel);

        Assert.Equal((5, 4, 3, 1), (report.Entries, report.Readable, report.Videos, report.Images));
        var bad = Assert.Single(report.Unreadable);
        Assert.Equal("broken.mp4", bad.Name);
        Assert.Contains("is empty", bad.Reason);
        Assert.Equal(new Spread(10, 12, 20), report.Frames);
        Assert.Equal((8.0, 10.0, 20.0), (Math.Round(report.Fps!.Least, 1), Math.Round(report.Fps.Median, 1), Math.Round(report.Fps.Most, 1)));
        Assert.Equal((new Spread(32, 32, 64), new Spread(32, 32, 32)), (report.Width, report.Height));
        Assert.Equal(1 + 1 + 1.5, report.TotalSeconds, 0.05);
        Assert.Equal((3, 4.0, "five words in this one"), (report.MissingCaptions, report.MeanCaptionWords, report.LongestCaption));
        Assert.Equal(["still.gif"], report.StillClips);
        Assert.Equal(0, report.Motion!.Least);
        Assert.Equal(("cut.mp4", 7), report.ClipsWithCuts.Select(clip => (clip.Name, clip.Frames.Single())).Single());
        Assert.Equal(Enumerable.Range(1, 5), reports.Select(step => step.Done));
        Assert.Equal((5, 1), (reports[^1].Total, reports[^1].Unreadable));
    }

    [Fact]
    public void Motion_is_what_changes_and_fast_motion_is_no_cut()
    {
        var pan = new CameraMove(CameraMovement.PanRight, 1, Easing.Linear, 32, 32);
        var moving = Measure(pan.Make(Clips.Noise(1, 64, 32), 8));            // unrelated colours from frame to frame, but evenly so
        Assert.Empty(moving.Cuts());
        Assert.True(moving.Motion > 10);
        Assert.Equal((0.0, 12), (Measure(Still(12)).Motion!.Value, Measure(Still(12)).Frames));
        Assert.Empty(Measure(Clips.Moving(32, 64, 48)).Cuts());
        Assert.Equal([3], Measure(Cut(9, 3)).Cuts());
        // grey 0, 10, 20 …: exactly ten levels a frame
        var rising = new VideoFrames(5, 32, 32, [.. Enumerable.Range(0, 5).SelectMany(frame => Enumerable.Repeat((byte)(frame * 10), 32 * 32 * 3))]);
        Assert.Equal(10, Measure(rising).Motion!.Value, 1e-3);
        Assert.Empty(Measure(rising).Cuts());
    }

    [Fact]
    public async Task The_command_prints_a_table_or_json_and_its_exit_code_says_whether_anything_can_be_read()
    {
        using var folder = new TempFolder();
        await Numbered.WriteAsync(folder["a.webp"], 5);
        folder.Write("b.gif", "GIF89a");
        folder.Write("a.txt", "a caption");
        var (code, output, _) = await CliProcess.RunAsync("dataset", "check", folder.Path);
        Assert.Equal(0, code);
        Assert.Contains("2 entries: 1 video, 0 images, 1 unreadable", output);
        Assert.Contains("b.gif: '", output);
        Assert.Matches(@"frames a second +8 +8 +8", output);
        (code, output, _) = await CliProcess.RunAsync("dataset", "check", folder.Path, "--json");
        var json = JsonDocument.Parse(output).RootElement;
        Assert.Equal((0, 1, "b.gif"), (code, json.GetProperty("readable").GetInt32(), json.GetProperty("unreadable")[0].GetProperty("name").GetString()));
        Assert.Equal(5, json.GetProperty("frames").GetProperty("median").GetDouble());
        Assert.Equal(3, (await CliProcess.RunAsync("dataset", "check", folder["b.gif"])).Code);
        Assert.Equal(3, (await CliProcess.RunAsync("dataset", "check", folder["none"])).Code);
        folder.Write("w.csv", "videoid,name\n1,x");
        Assert.Equal(2, (await CliProcess.RunAsync("dataset", "check", folder["w.csv"])).Code);
    }

    private static ClipMeasure Measure(VideoFrames clip)
    {
        var measure = new ClipMeasure();
        for (var frame = 0; frame < clip.Frames; frame++)
            measure.Add(new DecodedFrame(clip[frame].ToArray(), clip.Width, clip.Height, null));
        return measure;
    }

    private static VideoFrames Still(int frames)
    {
        var picture = Clips.Moving(1, 32, 32).Pixels.ToArray();
        return new VideoFrames(frames, 32, 32, [.. Enumerable.Range(0, frames).SelectMany(_ => picture)]);
    }

    /// <summary>A dark blue clip that moves a little, from frame <paramref name="cut"/> on a bright yellow one.</summary>
    private static VideoFrames Cut(int frames, int cut) => new(frames, 32, 32,
    [
        .. Enumerable.Range(0, frames).SelectMany(frame => Enumerable.Range(0, 32 * 32).SelectMany(at =>
            frame < cut ? new[] { (byte)(at % 32), (byte)20, (byte)(90 + frame) } : [(byte)(220 - at / 32), (byte)200, (byte)(20 + frame)])),
    ]);
}
