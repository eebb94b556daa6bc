using System.Text;
using AnimateDiff.Tests.Video;
using AnimateDiff.Training.Dataset;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Training.Dataset;

public sealed class TrainingSetTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Clips_of_every_kind_size_and_rate_give_the_frames_that_were_drawn()
    {
        using var folder = new TempFolder();
        await Numbered.WriteAsync(folder["a.mp4"], 40, fps: 30);
        await Numbered.WriteAsync(folder["b.webm"], 40, 48, 20, fps: 12.5);
        await Numbered.WriteAsync(folder["c.gif"], 40, 20, 40);
        await Numbered.WriteAsync(folder["d.webp"], 40, 7, 5);
        await Numbered.WriteAsync(folder["e.apng"], 40, 33, 31);
        await Numbered.WriteAsync(folder["f/"], 40, 16, 64);
        RecipeReaderTests.Run("-i", folder["a.mp4"], "-c:v", "mpeg4", "-q:v", "2", "-bf", "2", "-g", "250", folder["g.avi"]);
        RecipeReaderTests.Run("-i", folder["a.mp4"], "-c:v", "libvpx", "-crf", "4", "-b:v", "1M", "-auto-alt-ref", "1", "-lag-in-frames", "16", folder["h.mkv"]);
        File.Move(folder["a.mp4"], folder["a.gif"]);               // the content decides
        File.Delete(folder["f/run.json"]);
        var set = await Numbered.OpenAsync(folder.Path);
        Assert.Equal(8, set.Count);
        for (var entry = 0; entry < set.Count; entry++)
            foreach (var position in new long[] { 0, 1 })
            {
                var draw = SampleDraw.Of(7, position);
                var frames = await set.ReadAsync(entry, draw, Cancel);
                Assert.Equal((4, 16, 16), (frames.Frames, frames.Height, frames.Width));
                Assert.Equal(TrainingSet.FrameIndices(40, 4, 2, draw), Numbered.Of(frames));
            }
        for (var entry = 0; entry < set.Count; entry++)
            Assert.Equal(Enumerable.Range(0, 40), Numbered.Of(await set.ReadAllAsync(entry, Cancel)));
    }

    [Fact]
    public async Task Frames_are_counted_as_they_are_decoded()
    {
        using var folder = new TempFolder();
        await Numbered.WriteAsync(folder["whole.mp4"], 60, fps: 25);
        RecipeReaderTests.Run("-i", folder["whole.mp4"], "-c:v", "mpeg2video", "-q:v", "2", "-bf", "2", folder["a.ts"]);
        RecipeReaderTests.Run("-ss", "1.3", "-i", folder["whole.mp4"], "-c", "copy", folder["b.mp4"]);                      // begins inside a group of pictures
        var set = await Numbered.OpenAsync(Numbered.Options(folder["a.ts"], folder["b.mp4"]) with { Frames = 4, Stride = 1000 });
        foreach (var (entry, expected) in new[] { (0, Enumerable.Range(0, 60)), (1, Enumerable.Range(33, 27)) })
        {
            var all = Numbered.Of(await set.ReadAllAsync(entry, Cancel));
            Assert.Equal(expected, all);
            var some = Numbered.Of(await set.ReadAsync(entry, default, Cancel));
            Assert.Equal((all[0], all[^1]), (some[0], some[^1]));                                                         // the window is the whole clip
        }
    }

    // From numpy 1.24: np.linspace(start, start + window − 1, frames, dtype=int), start 0
    [Theory]
    [InlineData(1000, 16, 4, new[] { 0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60 })]
    [InlineData(61, 16, 4, new[] { 0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60 })]
    [InlineData(50, 16, 4, new[] { 0, 3, 6, 9, 13, 16, 19, 22, 26, 29, 32, 35, 39, 42, 45, 49 })]
    [InlineData(5, 16, 4, new[] { 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4 })]
    [InlineData(2, 4, 1, new[] { 0, 0, 0, 1 })]
    [InlineData(1, 3, 1, new[] { 0, 0, 0 })]
    [InlineData(1, 1, 4, new[] { 0 })]
    public void Frames_are_chosen_as_the_official_dataset_does(int length, int frames, int stride, int[] expected)
    {
        var starts = new HashSet<int>();
        for (var position = 0; position < 200; position++)
        {
            var indices = TrainingSet.FrameIndices(length, frames, stride, SampleDraw.Of(3, position));
            starts.Add(indices[0]);
            Assert.Equal(expected, indices.Select(index => index - indices[0]));
            Assert.InRange(indices[^1], 0, length - 1);
        }
        if (length <= (frames - 1) * stride + 1)
            Assert.Equal([0], starts);
        else
            Assert.True(starts.Count > 150 && starts.Max() > 900 && starts.Min() < 40, $"{starts.Count} starts");
    }

    [Fact]
    public void Every_start_is_drawn_the_first_and_the_last_too()
    {
        var starts = Enumerable.Range(0, 3000).Select(position => TrainingSet.FrameIndices(10, 4, 2, SampleDraw.Of(1, position))[0]).CountBy(start => start).ToList();
        Assert.Equal([0, 1, 2, 3], starts.Select(start => start.Key).Order());
        Assert.All(starts, start => Assert.InRange(start.Value, 650, 850));
    }

    [Fact]
    public async Task Single_frames_are_drawn_from_videos_and_images_and_an_image_is_no_video()
    {
        using var folder = new TempFolder();
        await Numbered.WriteAsync(folder["a.webp"], 20);
        await Numbered.WriteAsync(folder["b/"], 1);
        File.Move(folder["b/000.png"], folder["b.png"]);
        var set = await Numbered.OpenAsync(Numbered.Options(folder["a.webp"], folder["b.png"]) with { Frames = 1 });
        var drawn = new HashSet<int>();
        for (var position = 0; position < 30; position++)
            drawn.UnionWith(Numbered.Of(await set.ReadAsync(0, SampleDraw.Of(1, position), Cancel)));
        Assert.True(drawn.Count > 10);
        Assert.Equal(0, Numbered.Of(await set.ReadAsync(1, SampleDraw.Of(1, 0), Cancel)).Single());
        var videos = await Numbered.OpenAsync(folder["b.png"]);
        Assert.Contains("one frame", (await Assert.ThrowsAsync<FileException>(() => videos.ReadAsync(0, default, Cancel))).Message);
    }

    [Fact]
    public async Task Files_that_are_no_clips_say_why()
    {
        using var folder = new TempFolder();
        await VideoWriter.WriteAsync(folder["whole.mp4"], Clips.Noise(12, 64, 64), 8, "{}");
        await VideoWriter.WriteAsync(folder["whole.webm"], Clips.Noise(12, 64, 64), 8, "{}");
        foreach (var extension in new[] { "mp4", "webm" })
        {
            var bytes = File.ReadAllBytes(folder["whole." + extension]);
            File.WriteAllBytes(folder["cut." + extension], bytes[..(bytes.Length / 2)]);
        }
        folder.Write("empty.mp4", "");
        folder.Write("page.mp4", "<html><body>404</body></html>");
        folder.Write("a.jsonl", new StringBuilder().AppendJoin('\n', new[] { "cut.mp4", "cut.webm", "empty.mp4", "gone.mp4", "page.mp4" }
            .Select(name => $$"""{"path": "{{name}}", "text": "x"}""")).ToString());
        var set = await Numbered.OpenAsync(Numbered.Options(folder["a.jsonl"]) with { Frames = 12, Stride = 1 });
        foreach (var (entry, reason) in new[] { (0, "damaged, cut short"), (1, "damaged, cut short"), (2, "is empty"), (3, "does not exist"), (4, "no video") })
            foreach (var read in new[] { () => set.ReadAsync(entry, default, Cancel), () => set.ReadAllAsync(entry, Cancel) })
            {
                var error = await Assert.ThrowsAsync<FileException>(read);
                Assert.Contains(reason, error.Message);
                Assert.Equal(folder[set.Name(entry)], error.Path);
            }
    }

    [Fact]
    public async Task Mirrored_clips_have_mirrored_captions_and_the_others_neither()
    {
        using var folder = new TempFolder();
        await VideoWriter.WriteAsync(folder["a.webp"], Clips.Moving(4, 16, 16), 8, "{}");
        folder.Write("a.txt", "a car goes left");
        var options = Numbered.Options(folder.Path) with { Stride = 1 };
        var (plain, flipping) = (await Numbered.OpenAsync(options), await Numbered.OpenAsync(options with { Flip = true }));
        var flips = 0;
        for (var position = 0; position < 20; position++)
        {
            var draw = SampleDraw.Of(5, position);
            var (expected, actual) = (await plain.ReadAsync(0, draw, Cancel), await flipping.ReadAsync(0, draw, Cancel));
            var flipped = flipping.IsFlipped(draw);
            flips += flipped ? 1 : 0;
            for (var pixel = 0; pixel < 4 * 16 * 16; pixel++)
            {
                var from = flipped ? pixel / 16 * 16 + 15 - pixel % 16 : pixel;
                Assert.True(expected.Pixels.Span.Slice(from * 3, 3).SequenceEqual(actual.Pixels.Span.Slice(pixel * 3, 3)));
            }
            Assert.Equal(flipped ? "a car goes right" : "a car goes left", flipping.Caption(0, draw));
        }
        Assert.InRange(flips, 4, 16);
    }

    [Theory]
    [InlineData("Left to right, then LEFT", "Right to left, then RIGHT")]
    [InlineData("the leftmost door, rightwards; left-hand", "the rightmost door, leftwards; right-hand")]
    [InlineData("turns clockwise, not counter-clockwise", "turns counter-clockwise, not clockwise")]
    [InlineData("anticlockwise", "clockwise")]
    [InlineData("bright copyright cleft, no sides", "bright copyright cleft, no sides")]
    public void Sides_in_captions_change_places(string caption, string expected) => Assert.Equal(expected, Captions.Mirrored(caption));
}
