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
            BarPlot.Write(run.Picture("control.png"), "Overlap with the shape that is followed", "intersection over union", ["all frames", "first and last"],
                [.. there.Select(entry => new BarGroup(entry.System.Title, [Overlap(entry).Value, Ends(entry).Value]))]);
        return new('f', "ControlNet and SparseCtrl",
            "A ControlNet of the image model steers the animated clip frame by frame; SparseCtrl takes a few frames and the module moves between them.",
            Judge(measured[2], measured[3]),
            $"""
            Clips are asked for with a prompt of section b, and beside it with pictures of the scene that the renderer draws for that prompt: the ControlNet is given the
            edges (canny) of all {ToyRenderer.ClipFrames} frames, SparseCtrl the first and the last frame themselves. Measured are the intersection over union of the shape
            and the rendered one, over all frames and in the first and the last alone, and the peak signal-to-noise ratio (at most 60 dB) of the first and the last frame against the rendered ones. "No control" has the
            prompt alone, which says neither where the shape is nor how large.

            {StudyPage.Table(measured, [.. StudyPage.Head, ("Overlap", entry => Overlap(entry).Text(3)), ("First and last", entry => Ends(entry).Text(3)), ("First frame, dB", entry => Interval.OfMean(entry.Rows, row => row.First).Text(1)), ("Last frame, dB", entry => Interval.OfMean(entry.Rows, row => row.Last).Text(1)), ("Direction as asked", entry => MotionSection.Right(entry).Percent), ("First clips", entry => run.Show(entry.System, entry.Set))])}
            {(there.Length == 0 ? "" : StudyPage.Image("control.png", "Overlap with the shape that is followed"))}
            """);
    }

    private static Interval Overlap(Measured measured) => Interval.OfMean(measured.Rows, row => row.Overlap);

    private static Interval Ends(Measured measured) => Interval.OfMean(measured.Rows, row => row.Ends);

    // Each by the frames that it was given.
    private static Verdict Judge(Measured frames, Measured ends)
    {
        if (frames.Rows.Count == 0 || ends.Rows.Count == 0)
            return Verdict.None(frames, ends);
        return new(Overlap(frames).Value >= Least && Ends(ends).Value >= Least, FormattableString.Invariant(
            $"Overlap in the frames that were given: {frames.System.Title} {Overlap(frames).Text(3)}; {ends.System.Title} {Ends(ends).Text(3)} (held where both means are {Least} or more)."));
    }
}
