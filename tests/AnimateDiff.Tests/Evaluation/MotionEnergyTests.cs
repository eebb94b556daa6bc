using AnimateDiff.Evaluation;
using AnimateDiff.Toybox;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Evaluation;

public sealed class MotionEnergyTests
{
    [Fact]
    public void Energy_is_the_mean_change_as_a_share_of_the_range()
    {
        Assert.Equal(0.5, MotionEnergy.Of(new VideoFrames(3, 1, 2, [0, 0, 0, 0, 0, 0, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0])), 12);
        Assert.Equal(0, MotionEnergy.Of(new VideoFrames(1, 1, 1, [1, 2, 3])));
        Assert.Equal(0, MotionEnergy.Of(ToyRenderer.Clip(ToyScene.Draw(83, 0, ToyMovement.Still))));
        Assert.InRange(MotionEnergy.Of(ToyRenderer.Clip(ToyScene.Draw(83, 0, ToyMovement.Left))), 0.003, 0.1);
    }
}
