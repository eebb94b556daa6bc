using AnimateDiff.Toybox;

namespace AnimateDiff.Tests.Toybox;

public sealed class ToySceneTests
{
    [Fact]
    public void A_number_means_one_scene()
    {
        var scenes = Enumerable.Range(0, 1000).Select(index => ToyScene.Draw(5, index)).ToArray();

        Assert.Equal(scenes, Enumerable.Range(0, 1000).Reverse().Select(index => ToyScene.Draw(5, index)).Reverse());
        Assert.Equal(1000, scenes.Distinct().Count());
        Assert.NotEqual(scenes[0], ToyScene.Draw(6, 0));
        foreach (var movement in Enum.GetValues<ToyMovement>())
            Assert.InRange(scenes.Count(scene => scene.Movement == movement), 70, 155);                                // 111 on average
        Assert.InRange(scenes.Count(scene => !scene.PlaceNamed), 250, 350);
    }

    [Fact]
    public void Shapes_stay_in_the_picture_and_move_as_said()
    {
        foreach (var scene in Enumerable.Range(0, 2000).Select(index => ToyScene.Draw(1, index)))
        {
            Assert.InRange(scene.Radius, 8, 12);
            for (var time = 0.0; time <= 1; time += 1 / 30.0)
            {
                var pose = scene.PoseAt(time);
                Assert.InRange(pose.X, pose.Radius, ToyScene.Side - pose.Radius);
                Assert.InRange(pose.Y, pose.Radius, ToyScene.Side - pose.Radius);
            }
            var (begin, end) = (scene.PoseAt(0), scene.PoseAt(1));
            var way = (end.X - begin.X, end.Y - begin.Y);
            _ = scene.Movement switch
            {
                ToyMovement.Left => InRange(-way.Item1, 28, 38),
                ToyMovement.Right => InRange(way.Item1, 28, 38),
                ToyMovement.Up => InRange(-way.Item2, 28, 38),
                ToyMovement.Down => InRange(way.Item2, 28, 38),
                ToyMovement.Spin => InRange(end.Angle - begin.Angle, 269.999, 270.001),
                ToyMovement.Grow => InRange(end.Radius / begin.Radius, 2.2, 2.3),
                ToyMovement.Shrink => InRange(begin.Radius / end.Radius, 2.2, 2.3),
                _ => InRange(Math.Abs(way.Item1) + Math.Abs(way.Item2), 0, 1e-9),
            };
        }

        static bool InRange(double value, double from, double to)
        {
            Assert.InRange(value, from, to);
            return true;
        }
    }

    [Fact]
    public void A_bounce_leaves_the_ground_twice_with_after_images_behind_it()
    {
        var scene = ToyScene.Draw(1, 0, ToyMovement.Bounce);

        Assert.Equal([0, scene.Distance, 0, scene.Distance, 0], Enumerable.Range(0, 5).Select(quarter => Math.Round(scene.Y - scene.PoseAt(quarter / 4.0).Y, 9))
            .Select(height => Math.Abs(height - scene.Distance) < 1e-6 ? scene.Distance : height));
        Assert.Equal(4, scene.PoseAt(0.1, 1).Y - scene.PoseAt(0.1).Y, 9);                                               // rising: below
        Assert.Equal(-4, scene.PoseAt(0.4, 1).Y - scene.PoseAt(0.4).Y, 9);                                              // falling: above
    }

    [Fact]
    public void Captions_follow_one_form() => Assert.Equal(
        ["a red ball moves left on grass", "a red ball stays still", "a red ball spins at night"],
        new[]
        {
            Scene with { Movement = ToyMovement.Left, Background = ToyBackground.Grass },
            Scene with { PlaceNamed = false },
            Scene with { Movement = ToyMovement.Spin, Background = ToyBackground.Night },
        }.Select(scene => scene.Caption));

    private static ToyScene Scene => new(ToyShape.Ball, ToyColour.Red, ToyBackground.Day, ToyMovement.Still, true, 32, 32, 10, 0, 0);
}
