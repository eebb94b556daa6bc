using AnimateDiff.Toybox;
using AnimateDiff.Toybox.Measure;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Toybox.Measure;

public sealed class FollowsTests
{
    private static readonly ToyScene Ball = ToyScene.Draw(83, 0, ToyMovement.Left) with { Shape = ToyShape.Ball, Colour = ToyColour.Red, Background = ToyBackground.Day };

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_clip_follows_itself_even_when_it_was_blurred(int scene)
    {
        var clip = ToyRenderer.Clip(ToyScene.Draw(83, scene, ToyMovement.Right));
        Assert.All(Follows.Overlap(clip, clip), overlap => Assert.Equal(1, overlap));
        Assert.InRange(Follows.Overlap(MeasuredClips.Blurred(clip), clip).Average(), 0.8, 0.99);
    }

    [Fact]
    public void Overlap_falls_with_the_distance_as_that_of_two_discs()
    {
        var still = Ball with { Movement = ToyMovement.Still, X = 24, Y = 32, Radius = 10 };
        double Moved(double by) => Follows.Overlap(ToyRenderer.Clip(still with { X = still.X + by }), ToyRenderer.Clip(still)).Average();
        // Two discs of radius r with centres d apart share 2r²·acos(d/2r) − d/2·√(4r² − d²).
        foreach (var distance in (double[])[4, 8, 12])
        {
            var radius = 10.5;                                                                                           // the tracker looks at a blurred picture
            var shared = 2 * radius * radius * Math.Acos(distance / 2 / radius) - distance / 2 * Math.Sqrt(4 * radius * radius - distance * distance);
            Assert.InRange(Moved(distance), shared / (2 * Math.PI * radius * radius - shared) - 0.05, shared / (2 * Math.PI * radius * radius - shared) + 0.05);
        }
        Assert.Equal(0, Moved(30));
        Assert.Equal([0, 0], Follows.Overlap(new VideoFrames(2, 64, 64, new byte[2 * 64 * 64 * 3]), ToyRenderer.Clip(still, frames: 2)));
    }

    [Fact]
    public void Psnr_is_that_of_the_frame()
    {
        var black = new VideoFrames(2, 1, 1, [0, 0, 0, 0, 0, 0]);
        Assert.Equal(20, Follows.Psnr(new VideoFrames(2, 1, 1, [9, 9, 9, 0, 0, 0]), black, 0) - 20 * Math.Log10(25.5 / 9), 9);
        Assert.Equal(60, Follows.Psnr(new VideoFrames(2, 1, 1, [9, 9, 9, 0, 0, 0]), black, 1));
    }
}
