using AnimateDiff.Evaluation;
using AnimateDiff.Plots;

namespace AnimateDiff.Toybox.Study;

/// <summary>f. Clips follow pictures.</summary>
internal static class ControlSection
{
    private const double Least = 0.7;
    private const int Clips = 5 * StudyOptions.Batch;

    public static async Task<StudySection> MakeAsync(StudyRun run)
    {
        var measured = new List<Measured>();
        foreach (var system in (StudySystem[])[StudySystems.Real, run.Systems.Motion with { Title = "no control" }, run.Systems.ControlNet, run.Systems.SparseControl])
            measured.Add(new(system, SampleSet.Ways, await run.MeasureAsync('f', system, SampleSet.Ways, Clips)));
        var there = measured.Where(entry => entry.Rows.Count > 0).ToArray();
        if (there.Length > 0)
            BarPlot.Write(run.Picture("control.png"), "Overlap with the shape that is followed", "intersection over union", ["overlap"], [.. there.Select(entry => new BarGroup(entry.System.Title, [Overlap(entry).Value]))]);
        return new('f', "ControlNet and SparseCtrl",
            "A ControlNet of the image model steers the animated clip frame by frame; SparseCtrl takes a few frames and the module moves between them.",
            Judge(measured[2], measured[3]),
            $"""
            Clips are asked for with a prompt of section b, and beside it with pictures of the scene that the renderer draws for that prompt: the ControlNet is given the
            edges (canny) of all {ToyRenderer.ClipFrames} frames, SparseCtrl the first and the last frame themselves. Measured are the intersection over union of the shape
            and the rendered one, over all frames, and the peak signal-to-noise ratio (at most 60 dB) of the first and the last frame against the rendered ones. "No control" has the
            prompt alone, which says neither where the shape is nor how large.

            {StudyPage.Table(measured, [.. StudyPage.Head, ("Overlap", entry => Overlap(entry).Text(3)), ("First frame, dB", entry => Interval.OfMean(entry.Rows, row => row.First).Text(1)), ("Last frame, dB", entry => Interval.OfMean(entry.Rows, row => row.Last).Text(1)), ("Direction as asked", entry => MotionSection.Right(entry).Percent), ("First clips", entry => run.Show(entry.System, entry.Set))])}
            {(there.Length == 0 ? "" : StudyPage.Image("control.png", "Overlap with the shape that is followed"))}
            """);
    }

    private static Interval Overlap(Measured measured) => Interval.OfMean(measured.Rows, row => row.Overlap);

    private static Verdict Judge(params Measured[] controls)
    {
        if (controls.Any(entry => entry.Rows.Count == 0))
            return Verdict.None(controls);
        return new(controls.All(entry => Overlap(entry).Value >= Least), FormattableString.Invariant(
            $"Overlap: {string.Join("; ", controls.Select(entry => $"{entry.System.Title} {Overlap(entry).Text(3)}"))} (held where both means are {Least} or more)."));
    }
}
