using System.Text;
using AnimateDiff.Evaluation;
using AnimateDiff.Plots;

namespace AnimateDiff.Toybox.Study;

/// <summary>b. Attention over time against convolution over time.</summary>
internal static class MotionSection
{
    private const double Least = 0.5;
    private const int EarlierClips = 7 * StudyOptions.Batch;
    private const int FloorClips = 5 * StudyOptions.Batch;                                                               // as dear as clips that move, and all alike

    public static async Task<StudySection> MakeAsync(StudyRun run)
    {
        var measured = new List<Measured>();
        foreach (var (system, most) in ((StudySystem, int)[])
            [
                (StudySystems.Real, int.MaxValue), (run.Systems.Motion, int.MaxValue), (run.Systems.Convolution, int.MaxValue),
                (run.Systems.Earlier("motion-finish", "transformer, trained as long as conv1d"), EarlierClips), (run.Systems.Image, FloorClips),
            ])
            measured.Add(new(system, SampleSet.Ways, await run.MeasureAsync('b', system, SampleSet.Ways, most)));
        var there = measured.Where(entry => entry.Rows.Count > 0).ToArray();
        if (there.Length > 0)
        {
            BarPlot.Write(run.Picture("directions.png"), "Clips that move as asked", "share, %", ["share"], [.. there.Select(entry => new BarGroup(entry.System.Title, [100 * Right(entry).Value]))]);
            BarPlot.Write(run.Picture("energy.png"), "Change from frame to frame", "% of the full range", ["change"], [.. there.Select(entry => new BarGroup(entry.System.Title, [100 * Energy(entry).Value]))]);
        }
        return new('b', "Transformer against convolution over time",
            "A motion module of convolutions over time makes frames alike instead of moving them; attention over time (the transformer) learns the movement.",
            Judge(measured[3].Rows.Count > 0 ? measured[3] : measured[1], measured[2]),
            $"""
            Prompts ask in turn for left, right, up and down, over shapes, colours, places and seeds. Measured are the mean change from frame to frame, and whether the
            shape's tracked way is the one asked for. Rendered clips are the ceiling. The image model without a motion module is the floor: its "clip" is
            {ToyRenderer.ClipFrames} pictures of the prompt that know nothing of each other, so it flickers, which is change but no movement.

            {StudyPage.Table(measured, [.. StudyPage.Head, ("Direction as asked", entry => Right(entry).Percent), ("Change from frame to frame, %", entry => Scaled(Energy(entry)).Text(2)), ("First clips", entry => run.Show(entry.System, entry.Set))])}
            {(there.Length == 0 ? "" : $"{StudyPage.Image("directions.png", "Share of clips that move as asked")}\n\n{StudyPage.Image("energy.png", "Change from frame to frame")}")}

            {string.Join("\n", measured.Skip(1).Where(entry => entry.Rows.Count > 0).Select(Confusion))}
            """);
    }

    /// <summary>Share of clips with the direction asked for.</summary>
    public static Interval Right(Measured measured) => Interval.OfShare(measured.Rows, row => row.Shown == row.Asked);

    private static Interval Energy(Measured measured) => Interval.OfMean(measured.Rows, row => row.Energy);

    private static Interval Scaled(Interval interval) => interval with { Value = 100 * interval.Value, Low = 100 * interval.Low, High = 100 * interval.High };

    private static string Confusion(Measured measured)
    {
        var shown = SampleSets.Directions;
        var text = new StringBuilder($"Measured movements, {measured.System.Title}:\n\n| Asked | {string.Join(" | ", shown.Select(Lower))} | still | other | as asked |\n|{string.Concat(Enumerable.Repeat(" --- |", shown.Length + 4))}\n");
        foreach (var asked in shown)
        {
            var rows = measured.Rows.Where(row => row.Asked == asked).ToArray();
            int Count(ToyMovement movement) => rows.Count(row => row.Shown == movement);
            var other = rows.Length - shown.Sum(Count) - Count(ToyMovement.Still);
            text.Append($"| {Lower(asked)} | {string.Join(" | ", shown.Select(Count))} | {Count(ToyMovement.Still)} | {other} | {Interval.OfShare(Count(asked), rows.Length).Percent} |\n");
        }
        return text.ToString();
    }

    private static string Lower(ToyMovement movement) => movement.ToString().ToLowerInvariant();

    private static Verdict Judge(Measured transformer, Measured convolution)
    {
        if (transformer.Rows.Count == 0 || convolution.Rows.Count == 0)
            return Verdict.None(transformer, convolution);
        var (moves, stands) = (Energy(transformer), Energy(convolution));
        return new(stands.High < Least * moves.Low && Right(convolution).High < Right(transformer).Low,
            $"From frame to frame the convolution changes {Scaled(stands).Text(2)} %, the {transformer.System.Title} {Scaled(moves).Text(2)} %, and they move as asked in {Right(convolution).Percent} and {Right(transformer).Percent} (held where the convolution changes less than half as much and moves as asked more rarely, by the ends of the intervals).");
    }
}
