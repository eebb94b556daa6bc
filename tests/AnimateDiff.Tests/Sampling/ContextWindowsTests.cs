using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Sampling;

namespace AnimateDiff.Tests.Sampling;

public class ContextWindowsTests
{
    [Theory]
    [InlineData(48, 16, 4)]
    [InlineData(17, 16, 15)]
    [InlineData(33, 8, 0)]
    public void Every_frame_is_seen_in_every_step_in_windows_of_neighbours(int frames, int length, int overlap)
    {
        var windows = new ContextWindows(new FrameContext(length, overlap));
        for (var step = 0; step < 25; step++)
        {
            var all = windows.Of(frames, step);
            Assert.Equal(Enumerable.Range(0, frames).Select(frame => (long)frame), all.SelectMany(window => window).Distinct().Order());
            Assert.All(all, window => Assert.Equal(Enumerable.Range((int)window[0], length).Select(frame => (long)frame), window));
        }
        Assert.Equal(0, windows.Of(frames, 3)[0][0]);
        if (length - overlap > 1)
            Assert.NotEqual(windows.Of(frames, 0).Select(window => window[0]), windows.Of(frames, 1).Select(window => window[0]));
    }

    [Theory]
    [InlineData(48, 16, 4)]
    [InlineData(50, 16, 4)]
    [InlineData(16, 16, 4)]
    [InlineData(5, 16, 4)]
    public void Closed_windows_go_on_from_the_last_frame_to_the_first(int frames, int length, int overlap)
    {
        var windows = new ContextWindows(new FrameContext(length, overlap, Closed: true));
        var seams = 0;
        for (var step = 0; step < 25; step++)
        {
            var all = windows.Of(frames, step);
            Assert.Equal(frames, all.SelectMany(window => window).Distinct().Count());
            Assert.All(all, window => Assert.All(window.Zip(window.Skip(1)), pair => Assert.Equal((pair.First + 1) % frames, pair.Second)));
            seams += all.Any(window => window[1..].Contains(0)) ? 1 : 0;
        }
        Assert.InRange(seams, 13, 25);                                                                       // both ends are seen together in most steps
    }

    /// <summary>Every frame is the mean by pyramid weights, and comes as soon as no later window has a say in it.</summary>
    [Fact]
    public void Predictions_are_averaged_with_most_weight_for_the_middle()
    {
        using var scope = NewDisposeScope();
        var calls = 0;
        var said = new List<(long, float)>();
        var finishedAfter = new List<int>();
        foreach (var (frames, average) in new ContextWindows(new FrameContext(4, 2)).Average(6, 0, window => full([1, 1, window.Length, 1, 1], ++calls)))   // first window 1, second 2
        {
            said.AddRange(frames.Zip(average.data<float>()));
            finishedAfter.AddRange(frames.Select(_ => calls));
        }
        Assert.Equal([(0, 1), (1, 1), (2, (2 * 1 + 1 * 2) / 3f), (3, (1 * 1 + 2 * 2) / 3f), (4, 2), (5, 2)], said);
        Assert.Equal([1, 1, 2, 2, 2, 2], finishedAfter);
        Assert.True(new ContextWindows(new FrameContext(8, 2)).SeeWhole(6));
        Assert.False(new ContextWindows(new FrameContext(8, 2, Closed: true)).SeeWhole(6));
    }

    /// <summary>A closed clip has no first frame: turned input gives turned output, though the model tells a window's places apart.</summary>
    [Fact]
    public void Closed_clips_begin_nowhere()
    {
        using var scope = NewDisposeScope();
        var input = randn([1, 2, 12, 1, 1], generator: new Generator(1, CPU));
        Tensor Said(bool closed, Tensor clip)
        {
            var whole = full_like(clip, float.NaN);
            foreach (var (frames, average) in new ContextWindows(new FrameContext(6, 2, closed)).Average(12, 0, window => clip.index_select(2, tensor(window)).cumsum(2)))
                whole.index_copy_(2, tensor(frames), average);
            return whole;
        }
        Assert.Equal(0, Goldens.Difference(Said(closed: true, input.roll([4], [2])), Said(closed: true, input).roll([4], [2])), 1e-6);
        Assert.NotEqual(0, Goldens.Difference(Said(closed: false, input.roll([4], [2])), Said(closed: false, input).roll([4], [2])), 1e-1);
    }

    [Fact]
    public void Text_of_frames_goes_with_its_frames()
    {
        using var scope = NewDisposeScope();
        using var text = Text(rows: 12);                                                                     // two clips of six frames
        using var some = text.Of([2, 5], clips: 2, frames: 6);
        Assert.Equal(4, some.Rows);
        Assert.Equal([2, 5, 8, 11], some.For(_layer).Key.contiguous().data<float>().ToArray());
        using var last = text.Slice(6, 6);
        Assert.Equal([6, 7, 8, 9, 10, 11], last.For(_layer).Value.contiguous().data<float>().ToArray());
    }

    private static readonly Attention _layer = new(8, 1);

    private static TextContext Text(int rows) => new(rows, new Dictionary<Attention, KeyValue>
    {
        [_layer] = new(arange(rows, ScalarType.Float32).view(-1, 1, 1, 1), arange(rows, ScalarType.Float32).view(-1, 1, 1, 1)),
    });
}
