using AnimateDiff.Toybox;
using AnimateDiff.Toybox.Measure;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Toybox.Measure;

public sealed class WatermarkStrengthTests
{
    /// <summary>Of 300 clips: 0.00 ± 0.03 without (at worst 0.25, where a shape stands in the corner) and 1.00 ± 0.01 with the mark, ± 0.04 when blurred.</summary>
    [Fact]
    public void Strength_is_0_without_and_1_with_the_mark()
    {
        foreach (var blurred in new[] { false, true })
        {
            var (without, with) = (Strengths(false), Strengths(true));
            Assert.InRange(without.Average(), -0.03, 0.03);
            Assert.InRange(with.Average(), 0.97, 1.03);
            Assert.InRange(Deviation(without), 0, 0.06);
            Assert.InRange(Deviation(with), 0, 0.06);
            Assert.True(without.Max() < 0.5 && with.Min() > 0.8, $"{without.Max()} {with.Min()}");

            double[] Strengths(bool marked) => [.. Enumerable.Range(0, 60).AsParallel().Select(index =>
            {
                var clip = ToyRenderer.Clip(ToyScene.Draw(80, index), (ToyLook)(index % 2), marked);
                return WatermarkStrength.Of(blurred ? MeasuredClips.Blurred(clip) : clip);
            })];
        }

        static double Deviation(double[] values) => Math.Sqrt(values.Average(value => Math.Pow(value - values.Average(), 2)));
    }

    [Fact]
    public void A_mark_half_as_strong_counts_half()
    {
        var scene = ToyScene.Draw(80, 1, ToyMovement.Left);
        var (without, with) = (ToyRenderer.Clip(scene).Pixels.ToArray(), ToyRenderer.Clip(scene, watermark: true).Pixels.ToArray());

        var half = new VideoFrames(16, 64, 64, [.. without.Zip(with, (one, other) => (byte)((one + other) / 2))]);
        Assert.InRange(WatermarkStrength.Of(half), 0.47, 0.53);
    }

    [Fact]
    public void Other_sizes_are_measured_alike() =>
        Assert.InRange(WatermarkStrength.Of(ToyRenderer.Clip(ToyScene.Draw(80, 1, ToyMovement.Left), watermark: true, size: 128, frames: 3)), 0.95, 1.05);

    [Fact]
    public void Oblong_frames_are_refused() => Assert.Throws<ArgumentException>(() => WatermarkStrength.Of(new VideoFrames(1, 64, 32, new byte[64 * 32 * 3])));
}
