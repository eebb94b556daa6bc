using System.Globalization;
using System.Text.RegularExpressions;
using AnimateDiff.Evaluation;
using AnimateDiff.Plots;
using AnimateDiff.Toybox.Measure;

namespace AnimateDiff.Toybox.Study;

/// <summary>d. MotionLoRA: movements of the camera from few clips, and two at once.</summary>
internal static partial class CameraSection
{
    /// <summary>What a MotionLoRA should do: signs of the flow outwards and of the content's way to the right; 0 where nothing is asked.</summary>
    private sealed record Asked(int Zoom, int Pan);

    public static async Task<StudySection> MakeAsync(StudyRun run)
    {
        (StudySystem System, Asked Asked)[] systems =
        [
            (run.Systems.Motion with { Title = "no MotionLoRA" }, new(0, 0)),
            (run.Systems.Camera("zoom-in, 50 clips", "zoom-in"), new(1, 0)),
            (run.Systems.CameraOfRun("zoom-in, 20 clips", "zoom-in-20"), new(1, 0)),
            (run.Systems.CameraOfRun("zoom-in, 5 clips", "zoom-in-5"), new(1, 0)),
            (run.Systems.Camera("zoom-out, 50 clips", "zoom-out"), new(-1, 0)),
            (run.Systems.Camera("pan-left, 50 clips", "pan-left"), new(0, 1)),
            (run.Systems.Camera("zoom-in and pan-left together", "zoom-in", "pan-left"), new(1, 1)),
        ];
        var measured = new List<Measured>();
        foreach (var (system, _) in systems)
            measured.Add(new(system, SampleSet.Still, await run.MeasureAsync('d', system, SampleSet.Still)));
        var none = measured[0];
        Asked AskedOf(Measured entry) => systems.First(pair => pair.System.Name == entry.System.Name).Asked;
        var there = measured.Where(entry => entry.Rows.Count > 0).ToArray();
        if (there.Length > 0)
        {
            BarPlot.Write(run.Picture("zoom.png"), "Flow outwards", "1/64 of the side per frame", ["flow"], [.. there.Select(entry => new BarGroup(entry.System.Title, [Radial(entry).Value]))]);
            BarPlot.Write(run.Picture("pan.png"), "Way of the picture to the right", "1/64 of the side", ["way"], [.. there.Select(entry => new BarGroup(entry.System.Title, [Way(entry).Value]))]);
        }
        return new('d', "MotionLoRA",
            "MotionLoRA teaches the motion module a movement of the camera from as few as 20 to 50 clips, hardly from 5, and several can be combined.",
            Judge(none, [.. measured.Skip(1).Select(entry => (entry, AskedOf(entry)))]),
            $"""
            All prompts ask for shapes that stay still, so what moves is the camera. Measured (medians of the clips) are the whole picture's flow outwards per frame (zooming in is positive), and its
            way to the right within a clip (the content goes right where the camera pans left) and down. "Right sign" are the clips whose flow or way has the sign asked for
            after that of the same prompt and noise without MotionLoRA is taken off; for two movements both have to.

            {StudyPage.Table(measured,
            [
                .. StudyPage.Head, ("Flow outwards", entry => Radial(entry).Text(3)), ("Way to the right", entry => Way(entry).Text(2)),
                ("Way down", entry => Interval.OfMedian(entry.Rows, row => row.Down).Text(2)),
                ("Training clips", entry => Trained(run.Options, entry)),
                ("Right sign", entry => entry == none || none.Rows.Count == 0 ? "–" : Signs(none, entry, AskedOf(entry)).Percent),
                ("First clips", entry => run.Show(entry.System, entry.Set)),
            ])}
            {(there.Length == 0 ? "" : $"{StudyPage.Image("zoom.png", "Flow outwards by MotionLoRA")}\n\n{StudyPage.Image("pan.png", "Way to the right by MotionLoRA")}")}
            """);
    }

    /// <summary>The flow or way of the clips that a MotionLoRA was trained on, from its recipe.</summary>
    private static string Trained(StudyOptions options, Measured measured)
    {
        var name = measured.System.Name;
        string[] folders = [Path.Combine(options.Models, "training", name), Path.Combine(options.Models, "training", $"motion-lora-{name}"), Path.Combine(options.Runs ?? "", name)];
        var recipe = folders.Select(folder => Path.Combine(folder, "recipe.yaml")).FirstOrDefault(File.Exists);
        if (recipe is null || SpeedLine().Match(File.ReadAllText(recipe)) is not { Success: true } line)
            return "–";
        var speed = double.Parse(line.Groups[1].Value, CultureInfo.InvariantCulture);
        return name.StartsWith("zoom", StringComparison.Ordinal)
            ? FormattableString.Invariant($"flow {(name.StartsWith("zoom-in", StringComparison.Ordinal) ? 1 : -1) * new CameraFlow(0, 0, Math.Log(speed), 0).RadialFlow(ToyRenderer.ClipFrames):F3}")
            : FormattableString.Invariant($"way {speed * ToyScene.Side:F2}");
    }

    [GeneratedRegex(@"camera_speed: *([0-9.]+)")]
    private static partial Regex SpeedLine();

    private static Interval Radial(Measured measured) => Interval.OfMedian(measured.Rows, row => row.Radial);

    private static Interval Way(Measured measured) => Interval.OfMedian(measured.Rows, row => row.Right);

    /// <summary>Rows of both systems for the same prompt and noise.</summary>
    private static (StudyRow Without, StudyRow With)[] Pairs(Measured none, Measured with) =>
        [.. none.Rows.Join(with.Rows, row => row.Index, row => row.Index, (before, after) => (before, after))];

    private static Interval Signs(Measured none, Measured with, Asked asked) => Interval.OfShare(Pairs(none, with), pair =>
        (asked.Zoom == 0 || asked.Zoom * (pair.With.Radial - pair.Without.Radial) > 0) && (asked.Pan == 0 || asked.Pan * (pair.With.Right - pair.Without.Right) > 0));

    /// <summary>True where the interval of the median change is on the side asked for.</summary>
    private static bool Moves(Measured none, Measured with, Asked asked)
    {
        var pairs = Pairs(none, with);
        bool Sure(int sign, Func<StudyRow, double> number) => sign == 0 || Interval.OfMedian(pairs, pair => sign * (number(pair.With) - number(pair.Without))).Low > 0;
        return Sure(asked.Zoom, row => row.Radial) && Sure(asked.Pan, row => row.Right);
    }

    private static Verdict Judge(Measured none, IReadOnlyList<(Measured Entry, Asked Asked)> loras)
    {
        var judged = loras.Where(lora => lora.Entry.Rows.Count > 0).ToArray();
        if (none.Rows.Count == 0 || judged.Length == 0)
            return Verdict.None([none, .. loras.Select(lora => lora.Entry)]);
        bool Counts(Measured entry) => entry.System.Name != "zoom-in-5";                                                 // of 5 clips the paper expects little
        var held = judged.Where(lora => Counts(lora.Entry)).All(lora => Moves(none, lora.Entry, lora.Asked));
        var signs = judged.Select(lora => $"{lora.Entry.System.Title}: sign {(Moves(none, lora.Entry, lora.Asked) ? "right" : "**wrong or none**")}");
        var missing = loras.Count == judged.Length ? "" : $" Not measured: {string.Join(", ", loras.Except(judged).Select(lora => lora.Entry.System.Title))}.";
        return new(held, $"{string.Join("; ", signs)} (held where the interval of the median change against no MotionLoRA is on the side asked for, for every one but that of 5 clips).{missing}");
    }
}
