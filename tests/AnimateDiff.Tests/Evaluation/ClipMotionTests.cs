using AnimateDiff.Evaluation;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Evaluation;

/// <summary>Lengths are given in pixels of clips of which the motion is known; the errors allowed are what the measures are good for.</summary>
public sealed class ClipMotionTests
{
    private const double Phase = 0.05, Blocks = 0.12;

    [Theory]
    [InlineData(2, 0)]
    [InlineData(-1.5, 0.5)]
    [InlineData(0.3, -0.2)]
    [InlineData(3.25, 6.75)]
    public void A_moving_picture_has_its_motion(double right, double down)
    {
        var clip = MadeClips.Moving(3, 96, 112, right, down);
        var motion = ClipMotion.Of(clip)!;
        Assert.Equal(right, motion.Right * 0.96, Phase);
        Assert.Equal(down, motion.Down * 0.96, Phase);
        Assert.Equal(Math.Sqrt(right * right + down * down), motion.Mean * 0.96, Blocks);
        Assert.Equal(0, motion.Zoom, 0.15);
        Assert.InRange(motion.WarpingError, 0, 0.45 * 100 * MotionEnergy.Of(clip));                                    // what comes into view is left
    }

    [Fact]
    public void Large_pictures_are_measured_as_shares_of_their_side()
    {
        var motion = ClipMotion.Of(MadeClips.Of(2, 384, 300, (frame, x, y) => MadeClips.Texture(x / 3.0 - 2 * frame, y / 3.0)))!;
        Assert.Equal(2, motion.Right, 0.08);                                                                            // 6 of 300 pixels
        Assert.Equal(0, motion.Down, 0.08);
        Assert.Equal(2, motion.Mean, 0.15);
    }

    [Fact]
    public void What_stands_still_has_no_motion()
    {
        var motion = ClipMotion.Of(MadeClips.Moving(3, 64, 64, 0, 0))!;
        Assert.Equal((0, 0, 0), (motion.Mean, motion.Peak, motion.Zoom));
        Assert.Equal(0, motion.WarpingError, 1e-3);
        Assert.Equal(0, motion.Right, 1e-6);
        var plain = ClipMotion.Of(MadeClips.Of(2, 64, 64, (_, _, _) => 0.5))!;
        Assert.Equal(new ClipMotion(0, 0, 0, 0, 0, 0), plain);
    }

    [Fact]
    public void Noise_is_no_motion()
    {
        var random = new Random(1);
        var motion = ClipMotion.Of(MadeClips.Of(3, 64, 64, (_, x, y) => MadeClips.Texture(x, y) + 0.02 * (random.NextDouble() - 0.5)))!;
        Assert.InRange(motion.Mean, 0, 0.1);
        Assert.Equal(0, motion.Right, 0.02);
        var flat = ClipMotion.Of(MadeClips.Of(3, 64, 64, (_, _, _) => 0.5 + 0.04 * (random.NextDouble() - 0.5)))!;
        Assert.InRange(flat.Mean, 0, 0.6);
    }

    /// <summary>A quarter of the width, at one side, moves; the picture as a whole stands.</summary>
    [Fact]
    public void A_part_that_moves_is_seen_as_one()
    {
        var clip = MadeClips.Of(3, 96, 96, (frame, x, y) => x is >= 8 and < 32 ? MadeClips.Texture(x + 300, y - 3 * frame) : MadeClips.Texture(x, y));
        var motion = ClipMotion.Of(clip)!;
        Assert.Equal(0, motion.Down, Phase);
        Assert.Equal(3, motion.Peak * 0.96, 2 * Blocks);                                                                // errors are among the longest ways
        Assert.Equal(3 * 0.25, motion.Mean * 0.96, Blocks);
    }

    [Theory]
    [InlineData(1.02)]
    [InlineData(0.97)]
    public void A_picture_that_grows_has_its_zoom(double growth) => Assert.Equal(100 * (growth - 1), ClipMotion.Of(MadeClips.Moving(3, 96, 96, 0, 0, growth))!.Zoom, 0.3);

    /// <summary>Motion is undone; what gets brighter, and what is new, is not.</summary>
    [Fact]
    public void The_warping_error_is_what_no_motion_explains()
    {
        Assert.Equal(100 * 8 / 255.0, ClipMotion.Of(MadeClips.Of(2, 64, 64, (frame, _, _) => (120 + 8 * frame) / 255.0))!.WarpingError, 1e-4);
        // of a cut something alike is found everywhere
        var cut = MadeClips.Of(2, 96, 96, (frame, x, y) => MadeClips.Texture(x + 4000 * frame, y));
        Assert.InRange(ClipMotion.Of(cut)!.WarpingError, 0.3 * 100 * MotionEnergy.Of(cut), 100 * MotionEnergy.Of(cut));
    }

    [Fact]
    public void One_frame_and_tiny_ones_have_none()
    {
        Assert.Null(ClipMotion.Of(MadeClips.Moving(1, 64, 64, 0, 0)));
        Assert.Null(ClipMotion.Of(MadeClips.Moving(4, 15, 64, 0, 0)));
    }
}
