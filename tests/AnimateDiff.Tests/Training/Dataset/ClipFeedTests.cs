using AnimateDiff.Training.Dataset;

namespace AnimateDiff.Tests.Training.Dataset;

public sealed class ClipFeedTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(17)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(5000)]
    public void Every_epoch_is_a_permutation(int count)
    {
        var orders = new HashSet<string>();
        for (var epoch = 0L; epoch < 4; epoch++)
        {
            var order = Enumerable.Range(0, count).Select(place => ClipFeed.Entry(count, 11, epoch * count + place)).ToList();
            Assert.Equal(Enumerable.Range(0, count), order.Order());
            orders.Add(string.Join(' ', order));
        }
        if (count >= 17)
            Assert.Equal(4, orders.Count);
        Assert.InRange(ClipFeed.Entry(count, 11, long.MaxValue), 0, count - 1);
    }

    [Fact]
    public void Every_entry_comes_at_every_place_equally_often_also_after_every_other()
    {
        const int count = 5, epochs = 5000;
        var (places, pairs) = (new int[count, count], new int[count, count]);
        for (var epoch = 0L; epoch < epochs; epoch++)
        {
            var order = Enumerable.Range(0, count).Select(place => ClipFeed.Entry(count, 3, epoch * count + place)).ToList();
            for (var place = 0; place < count; place++)
            {
                places[place, order[place]]++;
                if (place > 0)
                    pairs[order[place - 1], order[place]]++;
            }
        }
        // 1000 ± 5 standard deviations of the binomial distribution
        Assert.All(places.Cast<int>(), times => Assert.InRange(times, 1000 - 142, 1000 + 142));
        Assert.All(pairs.Cast<int>().Where(times => times > 0), times => Assert.InRange(times, 1000 - 142, 1000 + 142));
        Assert.Equal(count * (count - 1), pairs.Cast<int>().Count(times => times > 0));
    }

    [Fact]
    public void Draws_are_even_and_independent_of_stream_and_position()
    {
        var draws = Enumerable.Range(0, 20_000).Select(position => SampleDraw.Of(9, position)).Select(draw => (A: draw.Uniform(0), B: draw.Uniform(1))).ToList();
        Assert.All(draws, draw => Assert.True(draw is { A: >= 0 and < 1, B: >= 0 and < 1 }));
        Assert.InRange(draws.Average(draw => draw.A), 0.49, 0.51);
        Assert.InRange(draws.Average(draw => draw.A * draw.A), 1 / 3.0 - 0.01, 1 / 3.0 + 0.01);
        Assert.InRange(draws.Average(draw => (draw.A - 0.5) * (draw.B - 0.5)) * 12, -0.035, 0.035);                          // correlation, 5 deviations
        Assert.InRange(draws.Zip(draws.Skip(1)).Average(two => (two.First.A - 0.5) * (two.Second.A - 0.5)) * 12, -0.035, 0.035);
        Assert.NotEqual(SampleDraw.Of(9, 0).Bits(0), SampleDraw.Of(10, 0).Bits(0));
        Assert.Equal(draws.Count, draws.Distinct().Count());
    }

    [Fact]
    public async Task A_feed_that_starts_in_the_middle_gives_what_a_whole_one_gives()
    {
        using var folder = new TempFolder();
        foreach (var (name, frames) in new[] { ("a", 30), ("b", 9), ("c", 50) })
        {
            await Numbered.WriteAsync(folder[name + ".webp"], frames, 16, 16);
            folder.Write(name + ".txt", "to the left");
        }
        var set = await Numbered.OpenAsync(Numbered.Options(folder.Path) with { Flip = true });
        await using var whole = new ClipFeed(set, 4);
        await using var resumed = new ClipFeed(set, 4);
        int[] lengths = [30, 9, 50];
        var captions = new HashSet<string>();
        var order = new List<int>();
        for (var position = 0L; position < 12; position++)
        {
            var sample = await whole.At(position, Cancel);
            order.Add(sample.Entry);
            captions.Add(sample.Caption);
            Assert.Equal(ClipFeed.Entry(3, 4, position), sample.Entry);
            Assert.Equal(TrainingSet.FrameIndices(lengths[sample.Entry], 4, 2, SampleDraw.Of(4, position)), Numbered.Of(sample.Frames));
            if (position < 5 && position != 2)
                continue;
            var again = await resumed.At(position, Cancel);
            Assert.Equal((sample.Entry, sample.Caption), (again.Entry, again.Caption));
            Assert.True(sample.Frames.Pixels.Span.SequenceEqual(again.Frames.Pixels.Span));
        }
        Assert.Equal(["to the left", "to the right"], captions.Order());
        Assert.Equal([4, 4, 4], order.CountBy(entry => entry).Select(times => times.Value));
        Assert.Empty(whole.Unreadable);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => whole.At(100, cancelled.Token));
    }

    [Fact]
    public async Task An_unreadable_entry_is_replaced_by_the_next_of_the_run_and_reported_once()
    {
        using var folder = new TempFolder();
        foreach (var name in new[] { "a", "b", "d" })
            await Numbered.WriteAsync(folder[name + ".webp"], 12, 16, 16);
        folder.Write("c.webp", "no picture");
        var set = await Numbered.OpenAsync(Numbered.Options(folder.Path) with { MaxBadFraction = 0.25 });
        await using var feed = new ClipFeed(set, 1);
        for (var position = 0L; position < 12; position++)
        {
            var place = position;
            while (ClipFeed.Entry(4, 1, place) == 2)
                place++;
            Assert.Equal(ClipFeed.Entry(4, 1, place), (await feed.At(position, Cancel)).Entry);
        }
        var (bad, reason) = Assert.Single(feed.Unreadable);
        Assert.Equal("c.webp", bad);
        Assert.Contains("damaged, cut short or no video", reason);
    }

    [Fact]
    public async Task Too_many_unreadable_entries_end_the_run()
    {
        using var folder = new TempFolder();
        for (var i = 0; i < 4; i++)
            folder.Write($"bad{i}.webp", "");
        await Numbered.WriteAsync(folder["good.webp"], 12, 16, 16);
        await using var feed = new ClipFeed(await Numbered.OpenAsync(Numbered.Options(folder.Path) with { MaxBadFraction = 0.5 }), 1);
        var error = await Assert.ThrowsAsync<FileException>(async () =>
        {
            for (var position = 0L; position < 10; position++)
                await feed.At(position, Cancel);
        });
        Assert.Contains(" of 5 entries (", error.Message);
        Assert.Contains("data.max_bad_fraction is 0.5", error.Message);
        Assert.Equal(3, error.Message.Split(".webp: ").Length - 1);
        await using var hopeless = new ClipFeed(await Numbered.OpenAsync(Numbered.Options(folder["bad0.webp"]) with { MaxBadFraction = 1 }), 1);
        Assert.Contains("1 of 1 entries (100%)", (await Assert.ThrowsAsync<FileException>(() => hopeless.At(0, Cancel))).Message);
    }

    [Fact]
    public async Task A_missing_ffmpeg_is_said_at_once_and_is_no_fault_of_the_entries()
    {
        using var folder = new TempFolder();
        folder.Write("a.mp4", "some bytes");
        await Numbered.WriteAsync(folder["b.webp"], 12, 16, 16);
        AnimateDiff.Video.Ffmpeg.SearchPath.Value = folder.Path;
        await using var feed = new ClipFeed(await Numbered.OpenAsync(Numbered.Options(folder.Path) with { MaxBadFraction = 1 }), 1);
        var error = await Assert.ThrowsAsync<FileException>(async () =>
        {
            for (var position = 0L; position < 2; position++)
                await feed.At(position, Cancel);
        });
        Assert.Contains("install them", error.Message);
        Assert.Empty(feed.Unreadable);
    }
}
