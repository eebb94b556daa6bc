using AnimateDiff.Evaluation;
using AnimateDiff.Plots;

namespace AnimateDiff.Toybox.Study;

/// <summary>c. The same motion module moves a personalised image model.</summary>
internal static class TransferSection
{
    private const double BaseTarget = 0.9, NeonTarget = 0.8, StyleTarget = 0.5;

    public static async Task<StudySection> MakeAsync(StudyRun run)
    {
        var measured = new List<Measured>();
        foreach (var system in (StudySystem[])[StudySystems.Real, StudySystems.RealNeon, run.Systems.Motion with { Title = "base model with its motion module" }, run.Systems.Neon])
            measured.Add(new(system, SampleSet.Ways, await run.MeasureAsync('c', system, SampleSet.Ways)));
        var there = measured.Where(entry => entry.Rows.Count > 0).ToArray();
        if (there.Length > 0)
            BarPlot.Write(run.Picture("transfer.png"), "Movement and look", "%", ["moves as asked", "neon look"],
                [.. there.Select(entry => new BarGroup(entry.System.Title, [100 * MotionSection.Right(entry).Value, 100 * Look(entry).Value]))]);
        return new('c', "Transfer to a personalised model",
            "A motion module trained once moves personalised image models of the same base without further training, and their style stays.",
            Judge(measured[0], measured[1], measured[2], measured[3]),
            $"""
            The neon model is the base model, further trained on single neon pictures; neither it nor the motion module ever saw a neon clip. Measured are the direction,
            as in section b, and a statistic of the look: dark pixels and hollow shapes, about 0 for the normal look and 0.8 for neon.

            {StudyPage.Table(measured, [.. StudyPage.Head, ("Direction as asked", entry => MotionSection.Right(entry).Percent), ("Neon look", entry => Look(entry).Text(3)), ("First clips", entry => run.Show(entry.System, entry.Set))])}
            {(there.Length == 0 ? "" : StudyPage.Image("transfer.png", "Movement and look of base and neon model"))}
            """);
    }

    private static Interval Look(Measured measured) => Interval.OfMean(measured.Rows, row => row.Neon);

    private static Verdict Judge(Measured normal, Measured neon, Measured own, Measured moved)
    {
        if (own.Rows.Count == 0 || moved.Rows.Count == 0 || normal.Rows.Count == 0 || neon.Rows.Count == 0)
            return Verdict.None(normal, neon, own, moved);
        var (before, after) = (MotionSection.Right(own), MotionSection.Right(moved));
        double Kept(double look) => (look - Look(normal).Value) / (Look(neon).Value - Look(normal).Value);
        var (reached, style) = (after.Value >= NeonTarget, Kept(Look(moved).Low) > StyleTarget);
        return new(reached && style, FormattableString.Invariant($"The neon model moves as asked in {after.Percent} (target {NeonTarget:P0}, {Reached(reached)}) and has {Kept(Look(moved).Value):P0} of the way from the rendered normal to the rendered neon look (more than {StyleTarget:P0} is asked for, {Reached(style)}); the base model moves as asked in {before.Percent} (target {BaseTarget:P0}, {Reached(before.Value >= BaseTarget)})."));
    }

    private static string Reached(bool reached) => reached ? "reached" : "**not reached**";
}
