using AnimateDiff.Video;

namespace AnimateDiff.Tests.Video;

public sealed class VideoWriterTests
{
    [Theory]
    [InlineData("clip.webp")]
    [InlineData("clip.apng")]
    [InlineData("clip.png")]
    [InlineData("clip/")]
    public async Task Lossless_formats_keep_every_pixel(string name)
    {
        using var folder = new TempFolder();
        foreach (var frames in new[] { Clips.Noise(5, 48, 32), Clips.Moving(4, 64, 64), Clips.Flat(3, 33, 17), Clips.Noise(1, 7, 5) })
        {
            await VideoWriter.WriteAsync(folder[name], frames, 8, "{}");
            var clip = await VideoReader.ReadAsync(folder[name]);
            Assert.Equal(double.PositiveInfinity, Clips.Psnr(frames, clip.Frames));
        }
    }

    [Theory]
    [InlineData("clip.gif", 27)]
    [InlineData("clip.mp4", 36)]
    [InlineData("clip.webm", 36)]
    public async Task Other_formats_stay_close(string name, double least)
    {
        using var folder = new TempFolder();
        var frames = Clips.Moving(8, 128, 128);
        await VideoWriter.WriteAsync(folder[name], frames, 8, "{}");
        var psnr = Clips.Psnr(frames, (await VideoReader.ReadAsync(folder[name])).Frames);
        Assert.True(psnr >= least, $"{psnr:F2} dB");
    }

    // MP4 and WebM store colours at half the resolution, so flat areas are compared away from their edges.
    [Theory]
    [InlineData("clip.gif", 0)]
    [InlineData("clip.mp4", 6)]
    [InlineData("clip.webm", 6)]
    public async Task Flat_colours_keep_their_value(string name, int tolerance)
    {
        using var folder = new TempFolder();
        var frames = Clips.Flat(6, 128, 128);
        await VideoWriter.WriteAsync(folder[name], frames, 8, "{}");
        var read = (await VideoReader.ReadAsync(folder[name])).Frames;
        var largest = 0;
        for (var frame = 0; frame < 6; frame++)
            for (var i = 0; i < 128 * 128 * 3; i++)
                if (i / 3 % 128 % 32 is >= 8 and < 24 && i / 3 / 128 % 32 is >= 8 and < 24)
                    largest = Math.Max(largest, Math.Abs(frames[frame][i] - read[frame][i]));
        Assert.InRange(largest, 0, tolerance);
    }

    [Fact]
    public async Task The_dithering_of_a_gif_averages_out()
    {
        using var folder = new TempFolder();
        var frames = Clips.Moving(4, 128, 128);
        await VideoWriter.WriteAsync(folder["clip.gif"], frames, 8, "{}");
        using var expected = frames.ToTensor();
        using var actual = (await VideoReader.ReadAsync(folder["clip.gif"])).Frames.ToTensor();
        using var difference = nn.functional.avg_pool2d(actual - expected, 4).square().mean();
        Assert.True(10 * Math.Log10(4 / difference.item<float>()) > 38, $"{10 * Math.Log10(4 / difference.item<float>()):F2} dB");
    }

    [Theory]
    [InlineData("clip.gif")]
    [InlineData("clip.webp")]
    [InlineData("clip.apng")]
    [InlineData("clip/")]
    public async Task Equal_frames_make_equal_bytes(string name)
    {
        using var folder = new TempFolder();
        byte[][] files = new byte[2][];
        for (var i = 0; i < 2; i++)
        {
            await VideoWriter.WriteAsync(folder[name], Clips.Moving(5, 64, 48), 8, "{\"seed\": 1}");
            files[i] = File.ReadAllBytes(name.EndsWith('/') ? folder["clip/004.png"] : folder[name]);
        }
        Assert.Equal(files[0], files[1]);
    }

    [Fact]
    public async Task A_later_run_replaces_an_earlier_longer_one_in_a_folder()
    {
        using var folder = new TempFolder();
        await VideoWriter.WriteAsync(folder["run/"], Clips.Flat(6, 16, 16), 8, "{\"run\": 1}");
        await VideoWriter.WriteAsync(folder["run"], Clips.Flat(2, 16, 16), 8, "{\"run\": 2}");
        Assert.Equal(["run", "run/000.png", "run/001.png", "run/run.json"], folder.Entries);
        Assert.Equal("{\"run\": 2}", File.ReadAllText(folder["run/run.json"]));
        Assert.Equal("{\"run\": 2}", RecipeReader.Read(folder["run/000.png"]));
    }

    [Fact]
    public async Task A_folder_with_somebodys_files_is_refused_and_left_alone()
    {
        using var folder = new TempFolder();
        var error = await RefusedAsync("notes.txt", "my notes"u8.ToArray());
        Assert.Contains("notes.txt", error.Message);
        await RefusedAsync("000.png", Convert.FromHexString("89504E470D0A1A0A0000000D49484452"));      // a picture of ours by name only
        await RefusedAsync("run.json", "[1, 2]"u8.ToArray());

        async Task<FileException> RefusedAsync(string name, byte[] content)
        {
            Directory.CreateDirectory(folder["mine"]);
            File.WriteAllBytes(folder["mine/" + name], content);
            var error = await Assert.ThrowsAsync<FileException>(() => VideoWriter.WriteAsync(folder["mine/"], Clips.Flat(2, 8, 8), 8, "{}"));
            Assert.Throws<FileException>(() => VideoWriter.Check(folder["mine/"]));
            Assert.Equal(["mine", "mine/" + name], folder.Entries);
            Assert.Equal(content, File.ReadAllBytes(folder["mine/" + name]));
            Directory.Delete(folder["mine"], recursive: true);
            return error;
        }
    }

    [Fact]
    public async Task Three_hundred_frames_are_numbered_and_ordered()
    {
        using var folder = new TempFolder();
        var frames = Clips.Noise(300, 8, 6);
        foreach (var name in new[] { "clip.gif", "clip.webp", "clip.apng", "clip/", "clip.mp4", "clip.webm" })
        {
            var reported = new List<int>();
            await VideoWriter.WriteAsync(folder[name], frames, 25, "{}", new Reporter(reported.Add));
            Assert.Equal(Enumerable.Range(1, 300), reported);
            var clip = await VideoReader.ReadAsync(folder[name]);
            Assert.Equal(300, clip.Frames.Frames);
            if (name is "clip.webp" or "clip.apng" or "clip/")
                Assert.True(frames.Pixels.Span.SequenceEqual(clip.Frames.Pixels.Span), name);
        }
        Assert.True(File.Exists(folder["clip/299.png"]));
    }

    [Fact]
    public async Task More_than_a_thousand_frames_get_longer_numbers()
    {
        using var folder = new TempFolder();
        var frames = Clips.Noise(1001, 2, 2);
        await VideoWriter.WriteAsync(folder["clip/"], frames, 25, "{}");
        Assert.True(File.Exists(folder["clip/0000.png"]) && File.Exists(folder["clip/1000.png"]));
        var clip = await VideoReader.ReadAsync(folder["clip"]);
        Assert.True(frames.Pixels.Span.SequenceEqual(clip.Frames.Pixels.Span));
    }

    [Fact]
    public async Task An_odd_size_is_kept_and_only_mp4_repeats_its_last_row_and_column()
    {
        using var folder = new TempFolder();
        var frames = Clips.Moving(3, 65, 47);
        foreach (var name in new[] { "clip.gif", "clip.webp", "clip.apng", "clip.webm", "clip/" })
        {
            await VideoWriter.WriteAsync(folder[name], frames, 8, "{}");
            var clip = await VideoReader.ReadAsync(folder[name]);
            Assert.Equal((65, 47), (clip.Frames.Width, clip.Frames.Height));
        }
        await VideoWriter.WriteAsync(folder["clip.mp4"], frames, 8, "{}");
        var padded = (await VideoReader.ReadAsync(folder["clip.mp4"])).Frames;
        Assert.Equal((66, 48), (padded.Width, padded.Height));
        using var expected = nn.functional.pad(frames.ToTensor(), [0, 1, 0, 1], PaddingModes.Replicate);
        using var actual = padded.ToTensor();
        Assert.True((actual - expected).abs().mean().item<float>() < 0.03);
    }

    [Theory]
    [InlineData("clip.tiff")]
    [InlineData("clip")]
    [InlineData("clip.")]
    public async Task An_unknown_extension_is_refused_before_anything_is_written(string name)
    {
        using var folder = new TempFolder();
        var error = await Assert.ThrowsAsync<RequestException>(() => VideoWriter.WriteAsync(folder[name], Clips.Flat(1, 8, 8), 8, "{}"));
        Assert.Contains(".webm", error.Message);
        Assert.Empty(folder.Entries);
    }

    [Theory]
    [InlineData("clip.gif", 51)]
    [InlineData("clip.gif", 0)]
    [InlineData("clip.gif", 0.001)]
    [InlineData("clip.mp4", double.NaN)]
    [InlineData("clip.webp", 1000)]
    public async Task A_rate_that_no_program_would_play_is_refused(string name, double fps)
    {
        using var folder = new TempFolder();
        await Assert.ThrowsAsync<RequestException>(() => VideoWriter.WriteAsync(folder[name], Clips.Flat(1, 8, 8), fps, "{}"));
        Assert.Empty(folder.Entries);
    }

    [Fact]
    public async Task A_size_beyond_the_format_is_refused()
    {
        using var folder = new TempFolder();
        var error = await Assert.ThrowsAsync<RequestException>(() => VideoWriter.WriteAsync(folder["clip.webp"], Clips.Flat(1, 16384, 4), 8, "{}"));
        Assert.Contains("16383", error.Message);
        Assert.Empty(folder.Entries);
    }

    [Fact]
    public async Task A_contact_sheet_shows_the_frames_in_rows()
    {
        using var folder = new TempFolder();
        var frames = Clips.Noise(5, 10, 8);
        ContactSheet.Write(folder["sheet.png"], frames, columns: 3);
        var sheet = (await VideoReader.ReadAsync(folder["sheet.png"])).Frames;
        Assert.Equal((1, 3 * 10 + 4, 2 * 8 + 2), (sheet.Frames, sheet.Width, sheet.Height));
        Assert.Equal(frames[4][..30].ToArray(), sheet[0].Slice((10 * sheet.Width + 12) * 3, 30).ToArray());
        Assert.Equal(["sheet.png"], folder.Entries);
    }

    internal sealed class Reporter(Action<int> report) : IProgress<int>
    {
        public void Report(int value) => report(value);
    }
}
