using AnimateDiff.Evaluation;
using AnimateDiff.Video;

namespace AnimateDiff.Toybox.Measure;

/// <summary>
/// How the whole picture moves within a clip, as if the camera did. Lengths are in 1/64 of the side. Backgrounds here are so plain that a shape's own way counts
/// as the camera's: measure clips of shapes that stay still.
/// </summary>
/// <param name="X">How far the content moves to the right: the camera pans left.</param>
/// <param name="Y">How far the content moves down: the camera tilts up.</param>
/// <param name="Zoom">Natural logarithm of the content's magnification: positive where the camera zooms in.</param>
/// <param name="Roll">How far the content turns clockwise, in degrees.</param>
internal sealed record CameraFlow(double X, double Y, double Zoom, double Roll)
{
    // Widths of the smoothing: wide ones find the way of several pixels, narrow ones its fraction.
    private static readonly double[] Widths = [4, 2, 1];

    // A pixel whose brightness does not fit by so much, of 255, counts half.
    private const double Misfit = 8;

    /// <summary>Mean speed outwards of the picture's points, in 1/64 of the side per frame of a clip of <paramref name="frames"/>; negative inwards.</summary>
    public double RadialFlow(int frames) => Zoom / (frames - 1) * ToyScene.Side * 0.3826;                               // mean distance of a square's points from its centre

    /// <summary>Measures a clip: each frame is registered on the one before by least squares (shift, magnification and turn, Gauss–Newton), and the ways add up.</summary>
    /// <exception cref="ArgumentException">The frames are not square.</exception>
    public static CameraFlow Of(VideoFrames clip)
    {
        if (clip.Width != clip.Height)
            throw new ArgumentException($"Frames must be square, not {clip.Width}×{clip.Height}.", nameof(clip));
        var unit = clip.Width / ToyScene.Side;
        var scales = Enumerable.Range(0, clip.Frames).Select(frame => Plane.Luma(clip, frame)).Select(luma => Widths.Select(width => luma.Blur(width * unit)).ToArray()).ToArray();
        var mark = Watermark.Mask(clip.Width).Zip(Watermark.Edge(clip.Width), (letter, edge) => letter + edge > 0).ToArray();
        var sum = new double[4];
        for (var frame = 1; frame < clip.Frames; frame++)
        {
            var step = new double[4];                                                                                   // x, y in half sides, magnification − 1, turn in radians
            for (var scale = 0; scale < Widths.Length; scale++)
                for (var round = 0; round < 4; round++)
                    Improve(step, scales[frame - 1][scale], scales[frame][scale], mark);
            (sum[0], sum[1], sum[2], sum[3]) = (sum[0] + step[0], sum[1] + step[1], sum[2] + Math.Log(Math.Max(1 + step[2], 0.1)), sum[3] + step[3]);
        }
        return new CameraFlow(sum[0] * ToyScene.Side / 2, sum[1] * ToyScene.Side / 2, sum[2], sum[3] * 180 / Math.PI);
    }

    /// <summary>One Gauss–Newton step for the way on which the content of one picture comes to be that of the next.</summary>
    private static void Improve(double[] step, Plane before, Plane after, bool[] mark)
    {
        var half = before.Width / 2.0;
        var fit = new LeastSquares(4);
        for (var y = 1; y < before.Height - 1; y++)
            for (var x = 1; x < before.Width - 1; x++)
            {
                var (u, v) = ((x + 0.5) / half - 1, (y + 0.5) / half - 1);                                              // −1…1
                var (toX, toY) = (x + half * (step[0] + step[2] * u - step[3] * v), y + half * (step[1] + step[2] * v + step[3] * u));
                if (mark[y * before.Width + x] || toX < 1 || toY < 1 || toX > before.Width - 2 || toY > before.Height - 2)
                    continue;
                var slopeX = half * (after.Sample(toX + 0.5, toY) - after.Sample(toX - 0.5, toY));
                var slopeY = half * (after.Sample(toX, toY + 0.5) - after.Sample(toX, toY - 0.5));
                var missing = before[x, y] - after.Sample(toX, toY);
                fit.Add([slopeX, slopeY, slopeX * u + slopeY * v, slopeY * u - slopeX * v], missing, 1 / (1 + missing * missing / (Misfit * Misfit)));
            }
        var better = fit.Solve(damping: 1e-3);
        for (var i = 0; i < step.Length; i++)
            step[i] += better[i];
    }
}
