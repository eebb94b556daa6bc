using AnimateDiff.Training.Optimization;

namespace AnimateDiff.Tests.Training.Optimization;

public class LearningRateTests
{
    [Theory]
    [InlineData(LearningRateShape.Constant, 0, 1, 2.0)]
    [InlineData(LearningRateShape.Constant, 4, 1, 0.5)]
    [InlineData(LearningRateShape.Constant, 4, 4, 2.0)]
    [InlineData(LearningRateShape.Constant, 4, 12, 2.0)]
    [InlineData(LearningRateShape.Cosine, 4, 3, 1.5)]
    [InlineData(LearningRateShape.Cosine, 4, 5, 2.0)]
    [InlineData(LearningRateShape.Cosine, 4, 7, 1.70710678118654752)]                   // 1 + cos(π/4)
    [InlineData(LearningRateShape.Cosine, 4, 9, 1.0)]
    [InlineData(LearningRateShape.Cosine, 4, 11, 0.29289321881345248)]
    [InlineData(LearningRateShape.Cosine, 0, 1, 2.0)]
    [InlineData(LearningRateShape.Cosine, 0, 7, 1.0)]
    public void The_rate_of_a_step_is_as_by_hand(object shape, long warmUp, long step, double expected) =>
        Assert.Equal(expected, new LearningRate(2, (LearningRateShape)shape, warmUp, 12).At(step), 12);
}
