using AnimateDiff.Evaluation;

namespace AnimateDiff.Tests.Evaluation;

public sealed class SteadinessTests
{
    [Fact]
    public void Flicker_is_the_difference_of_two_brightnesses_that_take_turns()
    {
        var clip = MadeClips.Of(6, 8, 8, (frame, x, _) => (100 + x + (frame % 2 == 0 ? 0 : 12)) / 255.0);
        Assert.Equal(100 * 12 / 255.0, Steadiness.Flicker(clip)!.Value, 1e-4);
    }

    [Fact]
    public void Fades_and_motion_are_no_flicker()
    {
        Assert.Equal(0, Steadiness.Flicker(MadeClips.Of(6, 8, 8, (frame, x, _) => (20 + x + 30 * frame) / 255.0))!.Value, 1e-4);
        Assert.InRange(Steadiness.Flicker(MadeClips.Moving(5, 64, 64, 3, 0))!.Value, 0, 0.25);
    }

    [Fact]
    public void A_loop_has_a_seam_of_1_and_others_have_not()
    {
        Assert.Equal(1, Steadiness.Seam(MadeClips.Round(12, 12))!.Value, 0.01);
        Assert.Equal(Math.Sin(4 * Math.PI / 12) / Math.Sin(Math.PI / 12), Steadiness.Seam(MadeClips.Round(9, 12))!.Value, 0.02);   // the last quarter is missing
        Assert.Equal(0, Steadiness.Seam(MadeClips.Round(13, 12))!.Value, 0.01);                                                  // the first frame comes twice
        Assert.Equal(1, Steadiness.Seam(MadeClips.Moving(3, 8, 8, 0, 0)));
    }

    [Fact]
    public void Two_frames_are_too_few()
    {
        Assert.Null(Steadiness.Flicker(MadeClips.Moving(2, 8, 8, 1, 0)));
        Assert.Null(Steadiness.Seam(MadeClips.Moving(2, 8, 8, 1, 0)));
    }
}
