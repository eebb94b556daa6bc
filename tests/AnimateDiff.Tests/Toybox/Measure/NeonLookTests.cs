using AnimateDiff.Toybox;
using AnimateDiff.Toybox.Measure;

namespace AnimateDiff.Tests.Toybox.Measure;

public sealed class NeonLookTests
{
    [Fact]
    public void Pictures_of_the_two_looks_do_not_overlap()
    {
        var (normal, neon) = (Scores(ToyLook.Normal), Scores(ToyLook.Neon));

        Assert.True(normal.Max() < 0.3, $"normal up to {normal.Max()}");
        Assert.True(neon.Min() > 0.6, $"neon from {neon.Min()}");

        static double[] Scores(ToyLook look) => [.. Enumerable.Range(0, 200).AsParallel().Select(index =>
            NeonLook.Of(ToyRenderer.Clip(ToyScene.Draw(81, index), look, watermark: index % 2 == 1, frames: 1)).Score)];
    }

    [Fact]
    public void Outlines_are_hollow_and_nights_are_not_neon()
    {
        var scene = ToyScene.Draw(81, 0, ToyMovement.Left) with { Background = ToyBackground.Night, Colour = ToyColour.Orange, Shape = ToyShape.Ball };
        var (normal, neon) = (NeonLook.Of(ToyRenderer.Clip(scene)), NeonLook.Of(ToyRenderer.Clip(scene, ToyLook.Neon)));

        Assert.InRange(normal.Hollow, 0, 0.3);
        Assert.InRange(neon.Hollow, 0.4, 1);
        Assert.InRange(normal.Dark, 0, 0.1);
        Assert.InRange(neon.Dark, 0.8, 1);
    }
}
