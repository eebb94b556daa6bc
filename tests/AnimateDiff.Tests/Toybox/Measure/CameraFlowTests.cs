using AnimateDiff.Toybox;
using AnimateDiff.Toybox.Measure;

namespace AnimateDiff.Tests.Toybox.Measure;

public sealed class CameraFlowTests
{
    [Fact]
    public void Signs_and_sizes_are_those_of_the_content()
    {
        (double X, double Y, double Zoom, double Roll)[] cameras =
        [
            (16, 0, 0, 0),                                                                                              // content to the right: the camera pans left
            (-16, 0, 0, 0), (0, 16, 0, 0), (0, -16, 0, 0),
            (0, 0, 0.4, 0),                                                                                             // content moves outward: zoom in
            (0, 0, -0.4, 0), (0, 0, 0, 25), (0, 0, 0, -25), (0, 0, 0, 0), (8, -6, 0.25, -10),
        ];
        Parallel.ForEach(cameras.Index(), entry =>
        {
            var (index, camera) = entry;
            var scene = ToyScene.Draw(82, index, ToyMovement.Still) with { X = 28, Y = 34, Background = (ToyBackground)(index % 4) };
            var flow = CameraFlow.Of(MeasuredClips.Camera(scene, camera.X, camera.Y, camera.Zoom, camera.Roll));
            Assert.InRange(flow.Zoom - camera.Zoom, -0.03, 0.03);
            Assert.InRange(flow.Roll - camera.Roll, -2, 2);
            if (camera is { Zoom: 0, Roll: 0 })
            {
                Assert.InRange(flow.X - camera.X, -0.6, 0.6);
                Assert.InRange(flow.Y - camera.Y, -0.6, 0.6);
            }
            Assert.Equal(Math.Sign(Math.Round(camera.Zoom, 2)), Math.Sign(Math.Round(flow.RadialFlow(16), 1)));
        });
    }

    [Fact]
    public void The_mark_does_not_hold_the_picture_still()
    {
        var scene = ToyScene.Draw(82, 3, ToyMovement.Still) with { X = 28, Y = 34 };
        var clip = MeasuredClips.Camera(scene, zoom: 0.4);
        var pixels = clip.Pixels.ToArray();
        var (letters, edge) = (Watermark.Mask(64), Watermark.Edge(64));
        for (var i = 0; i < pixels.Length; i++)
        {
            var at = i / 3 % (64 * 64);
            pixels[i] = (byte)((pixels[i] + (255 - pixels[i]) * Watermark.Alpha * letters[at]) * (1 - Watermark.EdgeAlpha * edge[at]));
        }

        Assert.InRange(CameraFlow.Of(new(16, 64, 64, pixels)).Zoom, 0.34, 0.44);
    }
}
