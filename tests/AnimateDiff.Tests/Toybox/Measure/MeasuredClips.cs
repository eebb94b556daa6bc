using AnimateDiff.Evaluation;
using AnimateDiff.Toybox;
using AnimateDiff.Toybox.Measure;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Toybox.Measure;

/// <summary>Clips whose movement, mark, look or camera is known.</summary>
internal static class MeasuredClips
{
    /// <summary>As a decoder might give it back: blurred, and with noise of ±12.</summary>
    public static VideoFrames Blurred(VideoFrames clip)
    {
        var bytes = new byte[clip.Pixels.Length];
        for (var frame = 0; frame < clip.Frames; frame++)
            for (var channel = 0; channel < 3; channel++)
            {
                var plane = new Plane(clip.Width, clip.Height);
                for (var i = 0; i < plane.Values.Length; i++)
                    plane.Values[i] = clip[frame][i * 3 + channel];
                var soft = plane.Blur(0.9).Values;
                for (var i = 0; i < soft.Length; i++)
                {
                    var at = (frame * soft.Length + i) * 3 + channel;
                    bytes[at] = (byte)Math.Clamp(soft[i] + new ToyRandom(5, at).Between(0, -12, 12), 0, 255);
                }
            }
        return new VideoFrames(clip.Frames, clip.Height, clip.Width, bytes);
    }

    /// <summary>
    /// A camera over a still: at the time t, 0…1, the content has moved by t·(x, y) pixels, is magnified by exp(t·zoom) and turned clockwise by t·roll degrees.
    /// </summary>
    public static VideoFrames Camera(ToyScene scene, double x = 0, double y = 0, double zoom = 0, double roll = 0, int frames = ToyRenderer.ClipFrames)
    {
        const int size = ToyRenderer.Size, large = ToyboxWriter.CameraSize;
        var pixels = ToyRenderer.Frame(scene, 0, size: large);
        var planes = Enumerable.Range(0, 3).Select(channel =>
        {
            var plane = new Plane(large, large);
            for (var i = 0; i < plane.Values.Length; i++)
                plane.Values[i] = pixels[i * 3 + channel];
            return plane.Blur(0.7);
        }).ToArray();
        var bytes = new byte[frames * size * size * 3];
        for (var i = 0; i < bytes.Length; i++)
        {
            var (column, row, time) = (i / 3 % size, i / 3 / size % size, i / 3 / size / size / (frames - 1.0));
            var (sin, cos) = Math.SinCos(-time * roll * Math.PI / 180);
            var (u, v) = ((column + 0.5 - size / 2 - time * x) / Math.Exp(time * zoom), (row + 0.5 - size / 2 - time * y) / Math.Exp(time * zoom));
            bytes[i] = (byte)Math.Round(planes[i % 3].Sample((cos * u - sin * v) * 1.25 + large / 2 - 0.5, (sin * u + cos * v) * 1.25 + large / 2 - 0.5));
        }
        return new VideoFrames(frames, size, size, bytes);
    }
}
