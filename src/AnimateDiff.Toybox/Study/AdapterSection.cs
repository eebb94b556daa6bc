using AnimateDiff.Evaluation;
using AnimateDiff.Plots;

namespace AnimateDiff.Toybox.Study;

/// <summary>a. The domain adapter takes the videos' mark and can be left out.</summary>
internal static class AdapterSection
{
    private const double Least = 0.25;
    private static readonly double[] Strengths = [0, 0.25, 0.5, 0.75, 1];

    public static async Task<StudySection> MakeAsync(StudyRun run)
    {
        var measured = new List<Measured>();
        async Task Add(StudySystem system) => measured.Add(new(system, SampleSet.Any, await run.MeasureAsync('a', system, SampleSet.Any)));
        await Add(StudySystems.RealMarked);
        await Add(StudySystems.Real);
        foreach (var strength in Strengths)
            await Add(run.Systems.Adapter(strength));
        await Add(run.Systems.Earlier("motion-start", "trained with the adapter, as long as the next; α = 0"));
        await Add(run.Systems.Plain);
        var (real, steps, early, plain) = (measured[1], measured[2..^2], measured[^2], measured[^1]);
        string? plot = null;
        if (steps.All(step => step.Rows.Count > 0))
        {
            plot = "adapter.png";
            Plot(run.Picture(plot), steps, [plain, real]);
        }
        return new('a', "Domain adapter",
            "The domain adapter learns what is special to the video data set, such as its watermark, so that the motion module does not; without the adapter (α = 0) it is gone.",
            Judge(steps[0], steps[^1], early.Rows.Count > 0 ? early : steps[0], plain),
            $"""
            All clips of the training set carry a mark in the corner; the image model's pictures do not. Measured is the strength of the mark in the lower right corner:
            1 as in the training clips, 0 none. The module "trained without the adapter" saw the same clips in an image model that did not know the mark.

            {StudyPage.Table(measured, [.. StudyPage.Head, ("Strength of the mark", entry => Mark(entry).Text(3)), ("Middle frames of the first clips", entry => run.Show(entry.System, entry.Set))])}
            {(plot is null ? "" : StudyPage.Image(plot, "Strength of the mark by the adapter's strength"))}
            """);
    }

    private static Interval Mark(Measured measured) => Interval.OfMean(measured.Rows, row => row.Mark);

    private static Verdict Judge(Measured without, Measured with, Measured early, Measured plain)
    {
        if (without.Rows.Count == 0 || with.Rows.Count == 0)
            return Verdict.None(without, with);
        var (off, on) = (Mark(without), Mark(with));
        var rest = plain.Rows.Count == 0 ? "" : Mark(plain).Low > Mark(early).High
            ? $" A module trained without the adapter has learned the mark: {Mark(plain).Text(3)}, against {Mark(early).Text(3)} after as many steps with it."
            : $" A module trained without the adapter has no stronger mark, though: {Mark(plain).Text(3)}, against {Mark(early).Text(3)} after as many steps with it.";
        return new(on.Low > 0 && off.High < Least * on.Value,
            $"{off.Text(3)} of the mark is left at α = 0, {on.Text(3)} is there at α = 1 (held where the whole interval at α = 0 is below a quarter of the mean at α = 1).{rest}");
    }

    private static void Plot(string path, IReadOnlyList<Measured> steps, IReadOnlyList<Measured> levels)
    {
        var marks = steps.Select(Mark).ToArray();
        PlotSeries Curve(string name, Func<Interval, double> value) => new(name, [.. marks.Select((mark, i) => (Strengths[i], value(mark)))]) { Ink = Ink.Of(0) };
        LinePlot.Write(path, "Strength of the mark in generated clips", "strength of the domain adapter", "strength of the mark",
        [
            Curve("95 % low", mark => mark.Low) with { Faint = true },
            Curve("95 % high", mark => mark.High) with { Faint = true },
            Curve("with adapter", mark => mark.Value) with { Dots = true },
            .. levels.Where(level => level.Rows.Count > 0).Select((level, i) =>
                new PlotSeries(level.System.Title, [(0, Mark(level).Value), (1, Mark(level).Value)]) { Ink = Ink.Of(i + 1) }),
        ]);
    }
}
