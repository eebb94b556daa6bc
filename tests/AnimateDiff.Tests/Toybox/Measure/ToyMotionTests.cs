using AnimateDiff.Toybox;
using AnimateDiff.Toybox.Measure;

namespace AnimateDiff.Tests.Toybox.Measure;

public sealed class ToyMotionTests
{
    private static readonly ToyMovement[] Ways = [ToyMovement.Left, ToyMovement.Right, ToyMovement.Up, ToyMovement.Down];

    [Fact]
    public void Directions_are_told_apart_in_both_looks_with_and_without_the_mark()
    {
        foreach (var look in Enum.GetValues<ToyLook>())
        {
            var wrong = Enumerable.Range(0, 200).AsParallel().Count(index =>
            {
                var scene = ToyScene.Draw(77, index, Ways[index % 4]);
                return ToyMotion.Of(ToyRenderer.Clip(scene, look, watermark: index / 4 % 2 == 1)).Movement != scene.Movement;
            });
            Assert.InRange(wrong, 0, 4);                                                                                // 98 % right; none is wrong today
        }
    }

    [Fact]
    public void All_movements_are_told_apart_in_blurred_clips_with_noise()
    {
        var wrong = Enumerable.Range(0, 54).AsParallel().Where(index =>
        {
            var scene = ToyScene.Draw(78, index, (ToyMovement)(index % 9));
            return ToyMotion.Of(MeasuredClips.Blurred(ToyRenderer.Clip(scene, (ToyLook)(index / 9 % 2), watermark: index % 2 == 1))).Movement != scene.Movement;
        }).ToArray();
        Assert.InRange(wrong.Length, 0, 2);
    }

    [Fact]
    public void Ways_sizes_and_turns_are_those_of_the_scene()
    {
        foreach (var index in Enumerable.Range(0, 3))
        {
            var scenes = Enum.GetValues<ToyMovement>().ToDictionary(movement => movement, movement => ToyScene.Draw(79, index, movement));
            var motions = scenes.ToDictionary(scene => scene.Key, scene => ToyMotion.Of(ToyRenderer.Clip(scene.Value)));
            Assert.InRange(motions[ToyMovement.Still].X, -0.01, 0.01);
            Assert.InRange(motions[ToyMovement.Right].X / scenes[ToyMovement.Right].Distance, 0.85, 1.1);               // the trail grows into the picture
            Assert.InRange(motions[ToyMovement.Up].Y / scenes[ToyMovement.Up].Distance, -1.1, -0.85);
            Assert.InRange(motions[ToyMovement.Bounce].Swing / scenes[ToyMovement.Bounce].Distance, 0.3, 0.5);          // 4/3π
            Assert.InRange(motions[ToyMovement.Grow].Growth, 0.5, 1);
            Assert.InRange(motions[ToyMovement.Shrink].Growth, -1, -0.5);
            Assert.InRange(motions[ToyMovement.Spin].Turn, 200, 300);
            Assert.All(motions.Values, motion => Assert.Equal(1, motion.Seen));
        }
    }

    [Fact]
    public void Nothing_to_see_is_nothing_seen()
    {
        var scene = ToyScene.Draw(1, 1, ToyMovement.Still) with { X = -100 };

        var motion = ToyMotion.Of(ToyRenderer.Clip(scene));
        Assert.Equal((0, ToyMovement.Still), (motion.Seen, motion.Movement));
    }
}
