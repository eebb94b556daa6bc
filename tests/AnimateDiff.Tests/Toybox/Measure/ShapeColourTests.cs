using AnimateDiff.Toybox;
using AnimateDiff.Toybox.Measure;

namespace AnimateDiff.Tests.Toybox.Measure;

public sealed class ShapeColourTests
{
    [Theory]
    [InlineData("Normal")]
    [InlineData("Neon")]
    public void Rendered_shapes_have_their_own_colour_and_no_other(string name)
    {
        var look = Enum.Parse<ToyLook>(name);
        var shares = Enumerable.Range(0, 96).AsParallel().AsOrdered().Select(index =>
        {
            var scene = ToyScene.Draw(83, index, ToyMovement.Left);
            var clip = ToyRenderer.Clip(scene, look, frames: 4);
            var other = Enum.GetValues<ToyColour>().First(colour => colour != scene.Colour);
            return (scene.Colour, Own: ShapeColour.Share(clip, scene.Colour), Other: ShapeColour.Share(clip, other));
        }).ToArray();

        foreach (var colour in shares.GroupBy(share => share.Colour))
            Assert.True(colour.Average(share => share.Own) > 0.9, $"{colour.Key}: {colour.Average(share => share.Own)} of the frames");
        Assert.True(shares.Average(share => share.Other) < 0.02);
    }
}
