using AnimateDiff.Video;

namespace AnimateDiff.Training.Dataset;

/// <summary>The part of a picture that one frame shows: centre, size and turn of a rectangle, in pixels of the picture.</summary>
/// <param name="X">Centre from the left edge.</param>
/// <param name="Y">Centre from the upper edge.</param>
/// <param name="Scale">Pixels of the picture to one of the frame.</param>
/// <param name="Turn">How far the picture appears turned clockwise, in radians.</param>
internal readonly record struct CropWindow(double X, double Y, double Scale, double Turn);

/// <summary>
/// Movements of the camera made from pictures or videos: from frame to frame another crop of a picture that is larger than the frame. The crop stays inside,
/// so no border is ever seen. Zooms are even in the logarithm of the scale, as an even zoom looks; rolls go from half the angle to half the angle.
/// </summary>
/// <param name="movement">What moves.</param>
/// <param name="speed">The whole change, within <see cref="SpeedRange"/>; null for the default.</param>
/// <param name="easing">How it is spread over the clip.</param>
/// <param name="width">Width of the frames in pixels.</param>
/// <param name="height">Height of the frames in pixels.</param>
internal sealed class CameraMove(CameraMovement movement, double? speed, Easing easing, int width, int height)
{
    private readonly double _speed = speed ?? (IsZoom(movement) ? 1.5 : IsRoll(movement) ? 20 : 0.25);

    /// <summary>The size that pictures are brought to before they are cropped: what the whole movement sees.</summary>
    public FrameSize Picture => movement switch
    {
        CameraMovement.ZoomIn or CameraMovement.ZoomOut => Size(width * _speed, height * _speed),
        CameraMovement.PanLeft or CameraMovement.PanRight => Size(width * (1 + _speed), height),
        CameraMovement.TiltUp or CameraMovement.TiltDown => Size(width, height * (1 + _speed)),
        _ => Size(Reach(width, height), Reach(height, width)),
    };

    /// <summary>What a speed must be above, and the most it can be.</summary>
    public static (double Least, double Most) SpeedRange(CameraMovement movement) => IsZoom(movement) ? (1, 4) : IsRoll(movement) ? (0, 90) : (0, 2);

    /// <summary>What frame <paramref name="frame"/> of <paramref name="frames"/> (at least 2) shows.</summary>
    public CropWindow Window(int frame, int frames)
    {
        var time = frame / (frames - 1.0);
        var moved = easing == Easing.EaseInOut ? time * time * (3 - 2 * time) : time;
        var (x, y) = (Picture.Width / 2.0, Picture.Height / 2.0);
        var (wayX, wayY) = (width * _speed * (moved - 0.5), height * _speed * (moved - 0.5));
        var turn = double.DegreesToRadians(_speed) * (moved - 0.5);
        return movement switch
        {
            CameraMovement.ZoomIn => new CropWindow(x, y, Math.Pow(_speed, 1 - moved), 0),
            CameraMovement.ZoomOut => new CropWindow(x, y, Math.Pow(_speed, moved), 0),
            CameraMovement.PanLeft => new CropWindow(x - wayX, y, 1, 0),
            CameraMovement.PanRight => new CropWindow(x + wayX, y, 1, 0),
            CameraMovement.TiltUp => new CropWindow(x, y - wayY, 1, 0),
            CameraMovement.TiltDown => new CropWindow(x, y + wayY, 1, 0),
            CameraMovement.RollCw => new CropWindow(x, y, 1, turn),
            _ => new CropWindow(x, y, 1, -turn),
        };
    }

    /// <summary>The clip: frame <c>i</c> crops picture <c>i</c>, or the only one.</summary>
    /// <param name="pictures">1 or <paramref name="frames"/> pictures of the size <see cref="Picture"/>.</param>
    /// <param name="frames">Length of the clip, at least 2.</param>
    public VideoFrames Make(VideoFrames pictures, int frames)
    {
        var pixels = new byte[(long)frames * height * width * 3];
        for (var frame = 0; frame < frames; frame++)
            Crop(pictures[pictures.Frames == 1 ? 0 : frame], Window(frame, frames), pixels.AsSpan(frame * height * width * 3));
        return new VideoFrames(frames, height, width, pixels);
    }

    /// <summary>Bilinear sampling of a picture of the size <see cref="Picture"/>.</summary>
    private void Crop(ReadOnlySpan<byte> picture, CropWindow window, Span<byte> frame)
    {
        var (rows, columns) = (Picture.Height, Picture.Width);
        // A picture that is seen turned clockwise is read at points turned back; y points down.
        var (sine, cosine) = Math.SinCos(-window.Turn);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
            {
                var (dx, dy) = ((x + 0.5 - width / 2.0) * window.Scale, (y + 0.5 - height / 2.0) * window.Scale);
                var left = Math.Clamp(window.X + dx * cosine - dy * sine - 0.5, 0, columns - 1);
                var top = Math.Clamp(window.Y + dx * sine + dy * cosine - 0.5, 0, rows - 1);
                var (x0, y0) = ((int)left, (int)top);
                var (x1, y1) = (Math.Min(x0 + 1, columns - 1), Math.Min(y0 + 1, rows - 1));
                var (u, v) = (left - x0, top - y0);
                for (var colour = 0; colour < 3; colour++)
                {
                    var upper = picture[(y0 * columns + x0) * 3 + colour] * (1 - u) + picture[(y0 * columns + x1) * 3 + colour] * u;
                    var lower = picture[(y1 * columns + x0) * 3 + colour] * (1 - u) + picture[(y1 * columns + x1) * 3 + colour] * u;
                    frame[(y * width + x) * 3 + colour] = (byte)(upper * (1 - v) + lower * v + 0.5);
                }
            }
    }

    /// <summary>How far a rectangle reaches along one side while it turns by up to half the angle to either side.</summary>
    private double Reach(double side, double other)
    {
        var turn = Math.Min(double.DegreesToRadians(_speed) / 2, Math.Atan2(other, side));
        return side * Math.Cos(turn) + other * Math.Sin(turn);
    }

    private static FrameSize Size(double width, double height) => new((int)Math.Ceiling(width - 1e-9), (int)Math.Ceiling(height - 1e-9));

    private static bool IsZoom(CameraMovement movement) => movement is CameraMovement.ZoomIn or CameraMovement.ZoomOut;

    private static bool IsRoll(CameraMovement movement) => movement is CameraMovement.RollCw or CameraMovement.RollCcw;
}
