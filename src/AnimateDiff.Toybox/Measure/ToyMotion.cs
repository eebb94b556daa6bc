using AnimateDiff.Video;

namespace AnimateDiff.Toybox.Measure;

/// <summary>What the shape of a clip does, measured.</summary>
/// <param name="X">How far it goes to the right within the clip, in 1/64 of the side; negative to the left.</param>
/// <param name="Y">How far it goes down; negative up.</param>
/// <param name="Swing">Amplitude of an up and down with two periods within the clip, in 1/64 of the side.</param>
/// <param name="Growth">Natural logarithm of its size at the end over that at the begin.</param>
/// <param name="Turn">How far it turns clockwise within the clip, in degrees.</param>
/// <param name="Seen">Share of the frames in which a shape was found, 0…1.</param>
internal sealed record ToyMotion(double X, double Y, double Swing, double Growth, double Turn, double Seen)
{
    // Between nothing and what the scenes do: ways of 28…38, swings of 0.42·(20…28), ln 2.27 = 0.82, 270 degrees.
    private const double LeastWay = 9, LeastSwing = 3.5, LeastGrowth = 0.3, LeastTurn = 80;

    /// <summary>Measures a clip. The path is fitted by least squares, so single frames gone wrong matter little.</summary>
    public static ToyMotion Of(VideoFrames clip)
    {
        var shapes = ShapeTracker.Track(clip);
        var (x, y, size) = (new LeastSquares(2), new LeastSquares(4), new LeastSquares(2));
        for (var frame = 0; frame < shapes.Length; frame++)
        {
            if (shapes[frame] is not { Spread: > 0 } shape)
                continue;
            var time = clip.Frames == 1 ? 0 : frame / (clip.Frames - 1.0);
            var turn = 4 * Math.PI * time;                                                                              // the fundamental of |sin 2πt|
            x.Add([1, time], shape.X);
            y.Add([1, time, Math.Cos(turn), Math.Sin(turn)], shape.Y);
            size.Add([1, time], Math.Log(shape.Spread));
        }
        var (across, down, growth) = (x.Solve(), y.Solve(), size.Solve());
        return new ToyMotion(across[1], down[1], Math.Sqrt(down[2] * down[2] + down[3] * down[3]), growth[1],
            Turning.Degrees(shapes), shapes.Count(shape => shape is not null) / (double)shapes.Length);
    }

    /// <summary>The movement of the world this is: the first that is more than nothing in the order bounce, ways, size, spin.</summary>
    public ToyMovement Movement
    {
        get
        {
            var (across, down) = (Math.Abs(X), Math.Abs(Y));
            if (Swing > LeastSwing && Swing > 0.25 * Math.Max(across, down))
                return ToyMovement.Bounce;
            if (Math.Max(across, down) > LeastWay)
                return across > down ? X > 0 ? ToyMovement.Right : ToyMovement.Left : Y > 0 ? ToyMovement.Down : ToyMovement.Up;
            if (Math.Abs(Growth) > LeastGrowth)
                return Growth > 0 ? ToyMovement.Grow : ToyMovement.Shrink;
            return Math.Abs(Turn) > LeastTurn ? ToyMovement.Spin : ToyMovement.Still;
        }
    }
}
