using AnimateDiff.Video;

namespace AnimateDiff.Training.Dataset;

/// <summary>Measures a clip frame by frame, holding one small picture: how much moves, and where the shot changes.</summary>
internal sealed class ClipMeasure
{
    // Thumbnails are averages of cells, so that noise and compression are not taken for motion.
    private const int Side = 32;
    private const int SamplesPerCell = 4;
    private const int ColourLevels = 4;

    // A cut changes the picture much more than the frames around it do, and either its colours or nearly all of it.
    private const double CutChange = 12;
    private const double CutRatio = 4;
    private const double CutColours = 0.25;
    private const double WholeChange = 40;
    private const int Around = 5;

    private readonly List<(double Change, double Colours)> _steps = [];
    private (float[] Thumbnail, float[] Colours)? _last;

    /// <summary>Number of frames added.</summary>
    public int Frames { get; private set; }

    /// <summary>The mean difference of consecutive frames, in levels of 0…255; null for a single frame.</summary>
    public double? Motion => _steps.Count > 0 ? _steps.Average(step => step.Change) : null;

    /// <summary>The next frame.</summary>
    public void Add(DecodedFrame frame)
    {
        var next = Look(frame);
        if (_last is { } last)
            _steps.Add((Distance(last.Thumbnail, next.Thumbnail) / last.Thumbnail.Length, Distance(last.Colours, next.Colours) / 2));
        _last = next;
        Frames++;
    }

    /// <summary>The frames that begin another shot, from 1.</summary>
    public IReadOnlyList<int> Cuts() => [.. Enumerable.Range(0, _steps.Count).Where(IsCut).Select(step => step + 1)];

    private bool IsCut(int step)
    {
        var (change, colours) = _steps[step];
        if (change < CutChange || (colours < CutColours && change < WholeChange))
            return false;
        var around = Enumerable.Range(step - Around, 2 * Around + 1).Where(other => other != step && other >= 0 && other < _steps.Count)
            .Select(other => _steps[other].Change).Order().ToList();
        return around.Count == 0 || change >= CutRatio * around[around.Count / 2];
    }

    /// <summary>A thumbnail <c>[Side, Side, RGB]</c> of 0…255 and the parts that colours have in the picture.</summary>
    private static (float[] Thumbnail, float[] Colours) Look(DecodedFrame frame)
    {
        var thumbnail = new float[Side * Side * 3];
        var colours = new float[ColourLevels * ColourLevels * ColourLevels];
        const int samples = Side * SamplesPerCell;
        for (var y = 0; y < samples; y++)
            for (var x = 0; x < samples; x++)
            {
                var at = ((long)y * frame.Height / samples * frame.Width + (long)x * frame.Width / samples) * 3;
                var (red, green, blue) = (frame.Pixels[at], frame.Pixels[at + 1], frame.Pixels[at + 2]);
                var cell = (y / SamplesPerCell * Side + x / SamplesPerCell) * 3;
                const float share = 1f / (SamplesPerCell * SamplesPerCell);
                thumbnail[cell] += red * share;
                thumbnail[cell + 1] += green * share;
                thumbnail[cell + 2] += blue * share;
                colours[(Level(red) * ColourLevels + Level(green)) * ColourLevels + Level(blue)] += 1f / (samples * samples);
            }
        return (thumbnail, colours);

        static int Level(byte value) => value * ColourLevels / 256;
    }

    private static double Distance(float[] a, float[] b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++)
            sum += Math.Abs(a[i] - b[i]);
        return sum;
    }
}
