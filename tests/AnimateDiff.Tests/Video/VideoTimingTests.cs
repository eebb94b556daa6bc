using System.Diagnostics;
using System.Globalization;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Video;

/// <summary>Sizes, counts and lengths as ffprobe sees them, which shares no code with the writers of GIF and APNG.</summary>
public sealed class VideoTimingTests
{
    [Theory]
    [InlineData("clip.gif", 8, 16)]
    [InlineData("clip.gif", 30, 30)]
    [InlineData("clip.gif", 7.5, 5)]
    [InlineData("clip.apng", 8, 16)]
    [InlineData("clip.apng", 23.976, 12)]
    [InlineData("clip.mp4", 8, 16)]
    [InlineData("clip.mp4", 7.5, 5)]
    [InlineData("clip.webm", 8, 16)]
    public async Task The_whole_plays_at_the_right_speed(string name, double fps, int count)
    {
        using var folder = new TempFolder();
        await VideoWriter.WriteAsync(folder[name], Clips.Moving(count, 32, 24), fps, "{}");
        var (width, height, frames, seconds) = Probe(folder[name]);
        Assert.Equal((32, 24, count), (width, height, frames));
        Assert.InRange(seconds, count / fps - 0.006, count / fps + 0.006);
        Assert.InRange((await VideoReader.ReadAsync(folder[name])).Fps!.Value, fps * 0.995, fps * 1.005);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(24)]
    [InlineData(29.97)]
    public async Task The_delays_of_a_webp_add_up(double fps)
    {
        using var folder = new TempFolder();
        await VideoWriter.WriteAsync(folder["clip.webp"], Clips.Moving(16, 32, 24), fps, "{}");
        var seconds = 0.0;
        await foreach (var frame in VideoReader.StreamAsync(folder["clip.webp"]))
            seconds += frame.Seconds!.Value;
        Assert.InRange(seconds, 16 / fps - 0.0006, 16 / fps + 0.0006);
    }

    [Fact]
    public void Delays_of_a_gif_alternate_so_that_eight_frames_last_one_second()
    {
        var job = new EncodeJob(Clips.Flat(1, 2, 2), 8, "{}", null, CancellationToken.None);
        Assert.Equal([12, 13, 13, 12, 12, 13, 13, 12], Enumerable.Range(0, 8).Select(frame => job.Duration(frame, 100)));
    }

    [Theory]
    [InlineData(8, 1, 8)]
    [InlineData(7.5, 10, 75)]
    [InlineData(23.976, 1000, 23976)]
    [InlineData(29.97, 100, 2997)]
    [InlineData(0.5, 10, 5)]
    [InlineData(240, 1, 240)]
    public void Delays_of_an_animated_png_are_exact_fractions(double fps, int numerator, int denominator) => Assert.Equal((numerator, denominator), PngWriter.Delay(fps));

    [Theory]
    [InlineData("clip.gif")]
    [InlineData("clip.webp")]
    [InlineData("clip.apng")]
    [InlineData("clip.mp4")]
    [InlineData("clip.webm")]
    [InlineData("clip/")]
    public async Task A_clip_of_one_frame_is_a_clip(string name)
    {
        using var folder = new TempFolder();
        await VideoWriter.WriteAsync(folder[name], Clips.Moving(1, 32, 32), 8, Clips.NastyRecipe);
        var clip = await VideoReader.ReadAsync(folder[name]);
        Assert.Equal((1, 32, 32), (clip.Frames.Frames, clip.Frames.Width, clip.Frames.Height));
        Assert.Equal(Clips.NastyRecipe, RecipeReader.Read(folder[name]));
    }

    private static (int Width, int Height, int Frames, double Seconds) Probe(string path)
    {
        using var ffprobe = Process.Start(new ProcessStartInfo("ffprobe",
            ["-v", "error", "-select_streams", "v:0", "-count_frames", "-show_entries", "stream=width,height,nb_read_frames:packet=duration_time", "-of", "default=nw=1", path])
        { RedirectStandardOutput = true })!;
        var lines = ffprobe.StandardOutput.ReadToEnd().Split('\n').Select(line => line.Split('=')).Where(pair => pair.Length == 2).ToLookup(pair => pair[0], pair => pair[1]);
        ffprobe.WaitForExit();
        return (int.Parse(lines["width"].First()), int.Parse(lines["height"].First()), int.Parse(lines["nb_read_frames"].First()),
            lines["duration_time"].Sum(seconds => double.Parse(seconds, CultureInfo.InvariantCulture)));
    }
}
