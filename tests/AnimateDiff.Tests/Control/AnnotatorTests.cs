using AnimateDiff.Control.Annotators;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Control;

public class AnnotatorTests
{
    private const int Size = 48;

    [Fact]
    public void Canny_finds_a_rectangle_within_a_pixel_and_nothing_else()
    {
        var edges = Annotator.Canny(Drawn((y, x) => Inside(y, x) ? 220 : 30));
        for (var y = 0; y < Size; y++)
            for (var x = 0; x < Size; x++)
                if (IsWhite(edges, y, x))
                    Assert.InRange(Outline(y, x), 0, 1);
        for (var at = 14; at < 30; at++)                                                    // every side is found all along, away from the corners
        {
            Assert.Equal(1, Enumerable.Range(9, 3).Count(x => IsWhite(edges, at, x)));
            Assert.Equal(1, Enumerable.Range(10, 3).Count(y => IsWhite(edges, y, at)));
        }
    }

    [Fact]
    public void Canny_follows_a_fading_edge_and_leaves_a_faint_one_alone()
    {
        var fading = Annotator.Canny(Drawn((y, x) => x < 24 ? 0 : 90 - y));                // strong above, weak below: one line
        Assert.All(Enumerable.Range(2, 40), y => Assert.Contains(Enumerable.Range(22, 4), x => IsWhite(fading, y, x)));
        var faint = Annotator.Canny(Drawn((_, x) => x < 24 ? 100 : 140), low: 50, high: 200);
        Assert.DoesNotContain((byte)255, faint.Pixels.ToArray());
        Assert.Throws<RequestException>(() => Annotator.Canny(fading, 200, 100));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, -1)]
    [InlineData(2, 1)]
    public void Canny_draws_a_slanted_edge_as_a_thin_line(int down, int right)
    {
        var edges = Annotator.Canny(Drawn((y, x) => (y - 24) * right - (x - 24) * down > 0 ? 200 : 20));
        for (var y = 14; y < 34; y++)
        {
            var crossing = 24 + (y - 24.0) * right / down;
            int[] found = [.. Enumerable.Range(0, Size).Where(x => IsWhite(edges, y, x))];
            Assert.InRange(found.Length, 1, 2);
            Assert.All(found, x => Assert.InRange(x, crossing - 1.5, crossing + 1.5));
        }
    }

    [Fact]
    public void Soft_edges_are_brightest_on_the_outline_and_black_on_what_is_even()
    {
        var edges = Annotator.SoftEdges(Drawn((y, x) => Inside(y, x) ? 220 : 30));
        Assert.Equal(255, edges.Pixels.ToArray().Max());
        Assert.InRange(edges[0][(20 * Size + 10) * 3], 200, 255);
        Assert.Equal(0, edges[0][(2 * Size + 2) * 3]);
        Assert.Equal(0, edges[0][(22 * Size + 22) * 3]);
    }

    [Fact]
    public void A_dark_line_becomes_white_on_black()
    {
        var drawing = Drawn((_, x) => x is 23 or 24 ? 20 : 240);
        foreach (var (lines, least) in new[] { (Annotator.Scribble(drawing), 255), (Annotator.Lineart(drawing), 120) })   // the usual line is middle grey
        {
            Assert.InRange(lines[0][(20 * Size + 23) * 3], least, 255);
            Assert.Equal(0, lines[0][(20 * Size + 4) * 3]);
            Assert.Equal(0, lines[0][(20 * Size + 44) * 3]);
        }
        Assert.All(Annotator.Scribble(drawing).Pixels.ToArray(), value => Assert.True(value is 0 or 255));
        Assert.DoesNotContain(Annotator.Lineart(Drawn((_, _) => 90)).Pixels.ToArray(), value => value != 0);
    }

    [Fact]
    public void Luminance_spans_the_clip_not_the_frame()
    {
        var bytes = new byte[2 * 3];
        bytes.AsSpan(0, 3).Fill(50);
        bytes.AsSpan(3, 3).Fill(150);
        var depth = Annotator.Luminance(new VideoFrames(2, 1, 1, bytes));
        Assert.Equal([0, 0, 0, 255, 255, 255], depth.Pixels.ToArray());
        Assert.Equal([0, 0, 0], Annotator.Luminance(new VideoFrames(1, 1, 1, [9, 9, 9])).Pixels.ToArray());
    }

    private static bool Inside(int y, int x) => y is >= 12 and < 34 && x is >= 10 and < 34;

    /// <summary>Distance in pixels to the rectangle's pixels nearest its outline.</summary>
    private static int Outline(int y, int x)
    {
        int[] inward = [y - 12, 33 - y, x - 10, 33 - x];
        return inward.Min() is var depth && depth >= 0 ? depth : -depth;
    }

    private static bool IsWhite(VideoFrames frames, int y, int x) => frames[0][(y * frames.Width + x) * 3] == 255;

    private static VideoFrames Drawn(Func<int, int, int> value)
    {
        var pixels = new byte[Size * Size * 3];
        for (var i = 0; i < Size * Size; i++)
            pixels.AsSpan(3 * i, 3).Fill((byte)value(i / Size, i % Size));
        return new VideoFrames(1, Size, Size, pixels);
    }
}
