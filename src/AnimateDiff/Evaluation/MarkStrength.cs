using AnimateDiff.Video;

namespace AnimateDiff.Evaluation;

/// <summary>How strongly a known mark is in a clip.</summary>
internal static class MarkStrength
{
    // In units of the mark: the neighbourhood from which the background under it is guessed, and how blurred it may be.
    private const double Neighbourhood = 3, Coarse = 1.5;
    private static readonly double[] Blurs = [0, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1];

    // Misfits, of 255, that halve the weight of a pixel.
    private static readonly double[] Scales = [1e6, 80, 80, 40, 40, 20, 20, 12, 12, 12];

    /// <summary>
    /// 1 = as in the picture of the mark, 0 = none: the least-squares factor by which the mark would have to be drawn on the background that surrounds it, and then
    /// blurred as much as explains the picture best, for a decoder's marks are softer than drawn ones. What moves is left out (the median over time counts).
    /// </summary>
    /// <param name="clip">The clip.</param>
    /// <param name="mark">The mark, for clips of this size.</param>
    public static double Of(VideoFrames clip, Mark mark)
    {
        var (unit, alpha) = (mark.Unit, mark.Alpha);
        var (near, open) = (new Plane(alpha.Width, alpha.Height), new Plane(alpha.Width, alpha.Height));
        var reach = (int)Math.Ceiling(unit);
        for (var y = 0; y < open.Height; y++)
            for (var x = 0; x < open.Width; x++)
            {
                near[x, y] = Any(x, y) ? 1 : 0;                             // where the blurred mark is
                open[x, y] = 1 - near[x, y];
            }
        var weight = open.Blur(Neighbourhood * unit);

        var fits = Blurs.Select(_ => new List<(float Drawn, float Seen)>()).ToArray();
        for (var channel = 0; channel < 3; channel++)
        {
            var picture = Median(clip, channel, mark);
            var background = picture.With(open, (value, share) => value * share).Blur(Neighbourhood * unit);
            background = background.With(weight, (value, share) => value / Math.Max(share, 1e-6f));
            var drawnOn = mark.Colours[channel].With(background, (colour, value) => colour - value).With(alpha, (difference, cover) => cover * difference);
            var seen = Fine(picture.With(background, (value, expected) => value - expected), unit);
            for (var i = 0; i < Blurs.Length; i++)
            {
                var drawn = Fine(Blurs[i] == 0 ? drawnOn : drawnOn.Blur(Blurs[i] * unit), unit);
                fits[i].AddRange(Enumerable.Range(0, near.Values.Length).Where(at => near.Values[at] > 0).Select(at => (drawn.Values[at], seen.Values[at])));
            }
        }
        return fits.Select(Fit).MinBy(fit => fit.Misfit).Strength;

        bool Any(int x, int y)
        {
            for (var row = Math.Max(0, y - reach); row <= Math.Min(alpha.Height - 1, y + reach); row++)
                for (var column = Math.Max(0, x - reach); column <= Math.Min(alpha.Width - 1, x + reach); column++)
                    if (alpha[column, row] > 0)
                        return true;
            return false;
        }
    }

    /// <summary>Details only: the edge of a shape that stands in the corner is mostly coarse, the letters are not.</summary>
    private static Plane Fine(Plane plane, double unit) => plane.With(plane.Blur(Coarse * unit), (value, coarse) => value - coarse);

    /// <summary>
    /// The factor between two lists by reweighted least squares: pixels that do not fit, where a shape stands under the mark, come to count less and less
    /// (the misfit that halves their weight is lowered step by step, so that the first guess decides nothing).
    /// </summary>
    private static (double Strength, double Misfit) Fit(List<(float Drawn, float Seen)> pixels)
    {
        var strength = 0.0;
        foreach (var scale in Scales)
        {
            var (product, energy) = (0.0, 1e-9);
            foreach (var (drawn, seen) in pixels)
            {
                var weight = 1 / (1 + Square((seen - strength * drawn) / scale));
                (product, energy) = (product + weight * drawn * seen, energy + weight * drawn * drawn);
            }
            strength = product / energy;
        }
        return (strength, pixels.Sum(pixel => Math.Log(1 + Square((pixel.Seen - strength * pixel.Drawn) / Scales[^1]))));
    }

    private static double Square(double value) => value * value;

    /// <summary>Median over time of the part where the mark is.</summary>
    private static Plane Median(VideoFrames clip, int channel, Mark mark)
    {
        var part = new Plane(mark.Alpha.Width, mark.Alpha.Height);
        var values = new byte[clip.Frames];
        for (var y = 0; y < part.Height; y++)
            for (var x = 0; x < part.Width; x++)
            {
                for (var frame = 0; frame < clip.Frames; frame++)
                    values[frame] = clip[frame][((y + mark.Top) * clip.Width + x + mark.Left) * 3 + channel];
                Array.Sort(values);
                part[x, y] = (values[(values.Length - 1) / 2] + values[values.Length / 2]) / 2f;
            }
        return part;
    }
}
