using AnimateDiff.Video;
using ImageMagick;

namespace AnimateDiff.Tests.Video;

public sealed class VideoReaderTests
{
    [Theory]
    [InlineData("clip.gif")]
    [InlineData("clip.webp")]
    [InlineData("clip.apng")]
    [InlineData("clip.mp4")]
    [InlineData("clip.webm")]
    public async Task A_damaged_file_is_an_error_and_not_a_shorter_clip(string name)
    {
        using var folder = new TempFolder();
        await VideoWriter.WriteAsync(folder[name], Clips.Noise(8, 64, 64), 8, "{}");
        var bytes = File.ReadAllBytes(folder[name]);
        foreach (var part in new[] { 0.0, 0.1, 0.6 })
        {
            File.WriteAllBytes(folder["cut"], bytes[..(int)(bytes.Length * part)]);
            var error = await Assert.ThrowsAsync<FileException>(() => VideoReader.ReadAsync(folder["cut"]));
            Assert.Contains(folder["cut"], error.Message);
        }
        File.WriteAllText(folder["text.mp4"], "this is no video at all");
        await Assert.ThrowsAsync<FileException>(() => VideoReader.ReadAsync(folder["text.mp4"]));
        await Assert.ThrowsAsync<FileException>(() => VideoReader.ReadAsync(folder["missing" + name]));
    }

    [Fact]
    public async Task A_long_video_can_be_left_in_the_middle()
    {
        using var folder = new TempFolder();
        await VideoWriter.WriteAsync(folder["clip.mp4"], Clips.Noise(120, 64, 64), 24, "{}");
        var clip = await VideoReader.ReadAsync(folder["clip.mp4"], maxFrames: 5);
        Assert.Equal((5, 24.0), (clip.Frames.Frames, clip.Fps));
        using var source = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var frame in VideoReader.StreamAsync(folder["clip.mp4"], cancellationToken: source.Token))
                source.Cancel();
        });
    }

    [Fact]
    public async Task A_slow_consumer_loses_no_frame()
    {
        using var folder = new TempFolder();
        await VideoWriter.WriteAsync(folder["clip.mp4"], Clips.Moving(6, 16, 16), 8, "{}");
        var count = 0;
        await foreach (var frame in VideoReader.StreamAsync(folder["clip.mp4"]))
        {
            await Task.Delay(100);
            count++;
        }
        Assert.Equal(6, count);
    }

    [Fact]
    public async Task Frames_are_scaled_to_cover_the_size_and_cropped_around_the_centre()
    {
        using var folder = new TempFolder();
        // left quarter red, middle half green, right quarter blue: a centred square holds green only
        var pixels = new byte[64 * 128 * 3];
        for (var i = 0; i < 64 * 128; i++)
            pixels[i * 3 + (i % 128 < 32 ? 0 : i % 128 < 96 ? 1 : 2)] = 255;
        await VideoWriter.WriteAsync(folder["wide.webp"], new VideoFrames(1, 64, 128, pixels), 8, "{}");
        var small = (await VideoReader.ReadAsync(folder["wide.webp"], new FrameSize(20, 24))).Frames;
        Assert.Equal((20, 24), (small.Width, small.Height));
        for (var i = 0; i < 20 * 24; i++)
            Assert.True(small[0][i * 3] < 5 && small[0][i * 3 + 1] > 250 && small[0][i * 3 + 2] < 5);      // Lanczos reaches a little beyond
        foreach (var (width, height) in new[] { (33, 77), (200, 50), (128, 64), (1, 1) })
        {
            var fitted = (await VideoReader.ReadAsync(folder["wide.webp"], new FrameSize(width, height))).Frames;
            Assert.Equal((width, height), (fitted.Width, fitted.Height));
        }
    }

    [Fact]
    public async Task A_folder_is_read_in_the_order_of_its_numbers_and_other_files_are_passed_over()
    {
        using var folder = new TempFolder();
        foreach (var (number, colour) in new[] { (10, MagickColors.Blue), (9, MagickColors.Lime), (1, MagickColors.Red) })
            new MagickImage(colour, 8, 8).Write(folder[$"frame{number}.png"]);
        File.WriteAllText(folder["notes.txt"], "not a frame");
        var clip = await VideoReader.ReadAsync(folder.Path);
        Assert.Null(clip.Fps);
        Assert.Equal([255, 0, 0, 0, 255, 0, 0, 0, 255], Enumerable.Range(0, 3).SelectMany(frame => clip.Frames[frame][..3].ToArray()));
    }

    [Fact]
    public async Task Frames_of_different_sizes_need_a_size()
    {
        using var folder = new TempFolder();
        new MagickImage(MagickColors.Red, 8, 8).Write(folder["0.png"]);
        new MagickImage(MagickColors.Red, 8, 9).Write(folder["1.png"]);
        Assert.Contains("8×9", (await Assert.ThrowsAsync<FileException>(() => VideoReader.ReadAsync(folder.Path))).Message);
        Assert.Equal(2, (await VideoReader.ReadAsync(folder.Path, new FrameSize(8, 8))).Frames.Frames);
    }

    [Fact]
    public async Task Grey_transparent_and_16_bit_pictures_become_rgb()
    {
        using var folder = new TempFolder();
        new MagickImage(new MagickColor(100, 100, 100), 4, 4) { ColorType = ColorType.Grayscale }.Write(folder["0.png"]);
        new MagickImage(new MagickColor(200, 100, 50, 0), 4, 4).Write(folder["1.png"], MagickFormat.Png32);
        new MagickImage(new MagickColor(200, 100, 50), 4, 4).Write(folder["2.png"], MagickFormat.Png48);
        var frames = (await VideoReader.ReadAsync(folder.Path)).Frames;
        Assert.Equal([100, 100, 100, 0, 0, 0, 200, 100, 50], Enumerable.Range(0, 3).SelectMany(frame => frames[frame][..3].ToArray()));
    }

    [Fact]
    public async Task A_video_of_varying_rate_keeps_its_own_frames()
    {
        using var folder = new TempFolder();
        RecipeReaderTests.Run("-f", "lavfi", "-i", "testsrc=s=32x32:r=10:d=2", "-vf", "select='not(mod(n,7))+lt(n,4)'", "-vsync", "vfr", folder["vfr.mp4"]);
        var clip = await VideoReader.ReadAsync(folder["vfr.mp4"]);
        Assert.Equal(6, clip.Frames.Frames);       // frames 0, 1, 2, 3, 7, 14
    }

    [Fact]
    public async Task A_rotated_video_is_read_upright()
    {
        using var folder = new TempFolder();
        RecipeReaderTests.Run("-f", "lavfi", "-i", "testsrc=s=64x32:r=8:d=1", folder["flat.mp4"]);
        RecipeReaderTests.Run("-i", folder["flat.mp4"], "-c", "copy", "-metadata:s:v", "rotate=90", folder["turned.mp4"]);
        var frames = (await VideoReader.ReadAsync(folder["turned.mp4"])).Frames;
        Assert.Equal((32, 64), (frames.Width, frames.Height));
    }
}
