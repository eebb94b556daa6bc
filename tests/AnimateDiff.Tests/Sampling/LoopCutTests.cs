using AnimateDiff.Sampling;

namespace AnimateDiff.Tests.Sampling;

/// <summary>Loops begin where they change least.</summary>
public class LoopCutTests
{
    [Theory]
    [InlineData(6)]
    [InlineData(4)]
    [InlineData(1)]
    public void Clips_begin_at_the_frame_that_differs_least_from_the_one_before(int block)
    {
        using var scope = NewDisposeScope();
        float[][] clips = [[0, 5, 5.1f, 2, 7, 4], [3, 4.5f, 6, 8, 7.9f, 5]];                                  // calmest before frames 2 and 4
        var latents = tensor(clips.SelectMany(values => values).ToArray(), [2, 1, 6, 1, 1]);
        var read = 0;
        using var cut = LoopCut.Apply(new ClipLatents(frames =>
        {
            read++;
            return latents.index_select(2, tensor(frames));
        }, [.. Enumerable.Range(0, 6).Select(frame => (long)frame).Chunk(block)], latents));

        var made = cat([.. cut.Blocks.Select(cut.Read)], 2).data<float>().ToArray();

        Assert.Equal([5.1f, 2, 7, 4, 0, 5, 7.9f, 5, 3, 4.5f, 6, 8], made);
        Assert.Equal(3 * ((6 + block - 1) / block), read);                                                   // once to look, and for each clip
    }

    [Fact]
    public async Task A_loop_is_turned_unless_something_is_asked_for_by_a_frames_number()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var request = new GenerationRequest("A painting of a squirrel eating a burger, 4k") { Frames = 6, Steps = 2, Seed = 4, Height = 32, Width = 32, Context = new(4, 2, Closed: true) };
        var (loop, kept) = ((await pipeline.GenerateAsync(request)).Videos[0], (await pipeline.GenerateAsync(request with { GuidanceScale = Curve.OverFrames((0, 7.5), (5, 7.5)) })).Videos[0]);

        var start = Enumerable.Range(0, 6).Single(frame => kept[frame].SequenceEqual(loop[0]));
        for (var frame = 0; frame < 6; frame++)
            Assert.True(loop[frame].SequenceEqual(kept[(start + frame) % 6]));
        var seam = Change(loop[5], loop[0]);
        Assert.All(Enumerable.Range(1, 5), frame => Assert.InRange(Change(loop[frame - 1], loop[frame]), seam, double.MaxValue));
    }

    private static double Change(ReadOnlySpan<byte> before, ReadOnlySpan<byte> after)
    {
        var sum = 0.0;
        for (var i = 0; i < before.Length; i++)
            sum += Math.Abs(before[i] - after[i]);
        return sum;
    }
}
