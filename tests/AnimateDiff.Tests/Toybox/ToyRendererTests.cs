using AnimateDiff.Toybox;

namespace AnimateDiff.Tests.Toybox;

public sealed class ToyRendererTests
{
    private static readonly ToyScene Scene = new(ToyShape.Ball, ToyColour.Red, ToyBackground.Grass, ToyMovement.Still, true, 30, 28, 10, 0, 0);

    [Fact]
    public void Shapes_are_the_same_at_every_size()
    {
        foreach (var shape in Enum.GetValues<ToyShape>())
        {
            var (coarse, fine) = (Area(shape, 64), Area(shape, 256));
            Assert.InRange(fine, 0.9 * 10 * 10, 3.3 * 10 * 10);                                                         // in radii: a star and a ball
            Assert.InRange(coarse, 0.93 * fine, 1.07 * fine);
        }

        static double Area(ToyShape shape, int size)
        {
            var with = ToyRenderer.Frame(Scene with { Shape = shape, Colour = ToyColour.White, Background = ToyBackground.Night }, 0, ToyLook.Normal, size);
            var without = ToyRenderer.Frame(Scene with { Shape = shape, X = -100, Background = ToyBackground.Night }, 0, ToyLook.Normal, size);
            return Enumerable.Range(0, size * size).Count(i => with[i * 3] - without[i * 3] > 60) * Math.Pow(64.0 / size, 2);
        }
    }

    [Fact]
    public void Still_scenes_stand_and_the_others_move()
    {
        Assert.Equal(ToyRenderer.Frame(Scene, 0), ToyRenderer.Frame(Scene, 1));
        foreach (var movement in Enum.GetValues<ToyMovement>().Where(movement => movement != ToyMovement.Still))
            foreach (var look in Enum.GetValues<ToyLook>())
                Assert.NotEqual(ToyRenderer.Frame(ToyScene.Draw(2, 1, movement), 0.3, look), ToyRenderer.Frame(ToyScene.Draw(2, 1, movement), 0.4, look));
    }

    [Fact]
    public void Every_movement_but_standing_still_shows_in_one_picture()
    {
        foreach (var movement in Enum.GetValues<ToyMovement>().Where(movement => movement != ToyMovement.Still))
        {
            var scene = ToyScene.Draw(4, 2, movement) with { Shape = ToyShape.Ball };
            var pose = scene.PoseAt(0.4);
            var still = scene with { Movement = ToyMovement.Still, X = pose.X, Y = pose.Y, Radius = pose.Radius, Angle = pose.Angle, Distance = 0 };
            var (moving, standing) = (ToyRenderer.Frame(scene, 0.4), ToyRenderer.Frame(still, 0));
            Assert.True(Enumerable.Range(0, 64 * 64).Count(i => Math.Abs(moving[i * 3] - standing[i * 3]) + Math.Abs(moving[i * 3 + 1] - standing[i * 3 + 1]) > 20) > 12, $"{movement}");
        }
    }

    [Fact]
    public void The_mark_changes_its_corner_only_and_always_alike()
    {
        var (plain, marked) = (ToyRenderer.Frame(Scene, 0), ToyRenderer.Frame(Scene, 0, watermark: true));
        var (letters, edge) = (Watermark.Mask(64), Watermark.Edge(64));

        for (var i = 0; i < plain.Length; i++)
        {
            var expected = plain[i] + (255 - plain[i]) * Watermark.Alpha * letters[i / 3] - plain[i] * Watermark.EdgeAlpha * edge[i / 3];
            Assert.InRange(marked[i] - expected, -1, 1);
            if (letters[i / 3] > 0)
                Assert.True(i / 3 % 64 is >= 44 and < 63 && i / 3 / 64 is >= 54 and < 62);
        }
        Assert.Equal(11 + 16 + 10, (int)letters.Sum());                                                                 // T, O and Y
    }
}
