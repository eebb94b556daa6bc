using System.Text;
using AnimateDiff.Evaluation;
using AnimateDiff.Plots;
using AnimateDiff.Video;

namespace AnimateDiff.Toybox.Study;

/// <summary>The paper's comparison (Guo et al. 2023, §5.2, table 1) on the Toybox: AnimateDiff, Text2Video-Zero and Tune-A-Video on the base model and on a personalised one.</summary>
internal static class Comparison
{
    /// <summary>Name of the page.</summary>
    public const string Name = "comparison.md";

    private const string Folder = "comparison";

    // What the paper measured, best first.
    private static readonly Quality[] Qualities =
    [
        new("what is seen is what was asked for", "CLIP text score", ["Tune-A-Video 35.98", "Text2Video-Zero 32.04", "AnimateDiff 31.39"], "colour as asked", rows => Interval.OfMean(rows, row => row.Colour)),
        new("the personalised model's look", "CLIP domain similarity", ["AnimateDiff 87.29", "Text2Video-Zero 84.84", "Tune-A-Video 80.68"], "neon look of the neon model", rows => Interval.OfMean(rows, row => row.Neon)) { OfNeon = true },
        new("smoothness", "CLIP similarity of neighbouring frames", ["AnimateDiff 98.00", "Tune-A-Video 97.42", "Text2Video-Zero 96.57"], "warping error, %", rows => Interval.OfMean(rows, row => row.Warping)) { LessIsBetter = true },
    ];

    /// <summary>Measures what is not measured yet and writes the page; goes on where it was interrupted.</summary>
    /// <param name="options">What and how; <see cref="StudyOptions.Runs"/> gets the models that are tuned.</param>
    /// <param name="progress">Told of every batch.</param>
    /// <param name="cancellationToken">Stops within a batch; batches before it are kept.</param>
    /// <returns>Path of the page.</returns>
    /// <exception cref="RequestException">A setting is out of its range.</exception>
    /// <exception cref="FileException">A model is damaged, or the output cannot be written.</exception>
    public static async Task<string> RunAsync(StudyOptions options, IProgress<StudyProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        Directory.CreateDirectory(options.Runs ?? "runs");
        options.Validate();
        await using var run = new StudyRun(options, Folder, apart: true, progress, cancellationToken);
        var (images, neon) = (await MeasureAsync(run, StudySystems.Real, run.Systems.Motion), await MeasureAsync(run, StudySystems.RealNeon, run.Systems.Neon));
        BarPlot.Write(run.Picture("systems.png"), "Prompts followed", "%", ["direction", "colour"],
            [.. images.Skip(1).Select(entry => Bars(entry, "")), .. neon.Skip(1).Select(entry => Bars(entry, ", neon"))]);
        var path = Path.Combine(options.Output, Name);
        await OutputFile.WriteAsync(path, temporary => File.WriteAllTextAsync(temporary, Page(options, run, images, neon), cancellationToken));
        return path;

        static BarGroup Bars(Measured entry, string of) => new(entry.System.Title + of, [100 * MotionSection.Right(entry).Value, 100 * Qualities[0].Of(entry.Rows).Value]);
    }

    private static async Task<Measured[]> MeasureAsync(StudyRun run, StudySystem rendered, StudySystem moved)
    {
        var measured = new List<Measured>();
        foreach (var system in (StudySystem[])[rendered, moved with { Title = "AnimateDiff" }, run.Systems.ZeroShot(moved), run.Systems.Tuned(moved)])
            measured.Add(new(system, SampleSet.Ways, await run.MeasureAsync(null, system, SampleSet.Ways)));
        return [.. measured];
    }

    private static string Page(StudyOptions options, StudyRun run, Measured[] images, Measured[] neon)
    {
        var page = new StringBuilder(FormattableString.Invariant($"""
            # Three ways to move an image model

            The AnimateDiff paper (Guo et al., ICLR 2024, §5.2) sets its motion module beside [Text2Video-Zero](text2video-zero.md), which trains nothing, and [Tune-A-Video](tune-a-video.md), which is
            tuned on one video. Here are the three on [Toybox](../recipes/toybox), where what has to be seen is known exactly: its normal image model, and the neon model, which is personalised and never
            saw a clip. `animatediff toybox compare` makes this page: it tunes what Tune-A-Video needs, generates and measures; delete its [measurements]({Folder}/measurements.jsonl) to measure anew.

            {images[1].Rows.Count} prompts for each system and each model ask in turn for left, right, up and down. Settings: {options.Settings}; {ToyRenderer.ClipFrames} frames of {ToyRenderer.Size}×{ToyRenderer.Size};
            seed {options.Seed}. Text2Video-Zero has its usual settings: from frame to frame the picture goes to the left and up, whatever the prompt says. Tune-A-Video is tuned on one rendered clip in the normal look for each
            direction ([recipe](../recipes/toybox/tune-a-video.yaml), here and in the neon model), and a prompt starts from the inverted noise of the clip with its direction: the movement is given to it, the rest is not.
            In brackets are 95 % intervals.


            """));
        page.Append($"## The normal model\n\n{Table(run, images)}\n## The neon model\n\n{Table(run, neon)}\n{StudyPage.Image("systems.png", "Prompts followed by each system", Folder)}\n\n");
        page.Append("## The paper's order and this one\n\nThe paper's numbers are CLIP's; CLIP knows nothing of these shapes, so that each has a counterpart here that is measured by rule. For models of real size, `animatediff evaluate --clip` measures the paper's own ([how](evaluate.md)).\n\n"
            + "| | The paper's measure, best first | Measured here, best first | Order |\n| --- | --- | --- | --- |\n");
        foreach (var quality in Qualities)
            page.Append(quality.Row(quality.OfNeon ? neon : images));
        page.Append($"\n{Why}\n\n## Prompt by prompt\n\n");
        foreach (var (title, systems) in (Span<(string, Measured[])>)[("the normal model", images), ("the neon model", neon)])
            page.Append(Clips(run, options, title, systems));
        return page.ToString();
    }

    private static string Table(StudyRun run, Measured[] measured) => StudyPage.Table(measured,
        [.. StudyPage.Head, ("Direction as asked", entry => MotionSection.Right(entry).Percent), ("Colour as asked", entry => Scaled(Qualities[0].Of(entry.Rows))), ("Neon look", entry => Qualities[1].Of(entry.Rows).Text(2)),
            ("Change from frame to frame, %", entry => Scaled(Interval.OfMean(entry.Rows, row => row.Energy))), ("Warping error, %", entry => Qualities[2].Of(entry.Rows).Text(2))]);

    private static string Scaled(Interval share) => (share with { Value = 100 * share.Value, Low = 100 * share.Low, High = 100 * share.High }).Text(1);

    private static string Clips(StudyRun run, StudyOptions options, string title, Measured[] systems)
    {
        var there = systems.Where(entry => entry.Rows.Count > 0).ToArray();
        var text = new StringBuilder($"| Prompt, {title} | {string.Join(" | ", there.Select(entry => entry.System.Title))} |\n|{string.Concat(Enumerable.Repeat(" --- |", there.Length + 1))}\n");
        for (var index = 0; index < StudyRun.ShownApart; index++)
            text.Append($"| {SampleSet.Ways.Scene(options.Seed, index).Caption} | {string.Join(" | ", there.Select(entry => run.Show(entry.System, entry.Set, index)))} |\n");
        return text.Append('\n').ToString();
    }

    private const string Why = """
        Smoothness is measured as the part of the change between frames that is no movement, so that moving costs nothing. Text is where the paper's order does not come back. CLIP scores each frame by
        itself, and Stable Diffusion keeps its words through 500 steps on one video. The Toybox's image model is small: tuning at a rate that teaches it a movement in a minute wears its colours, and the inverted
        noise holds the shape and place of the clip that was tuned on. Text2Video-Zero leaves the image model as it is and so keeps the most of it, as each frame alone is judged; what no score of single frames sees
        is that it goes one way whatever the prompt says, which the direction shows. Of the directions, Tune-A-Video's come from the clip it is given, AnimateDiff's from the prompt alone.
        """;

    /// <summary>Something the paper ranks the systems by, and its counterpart here.</summary>
    /// <param name="Title">What it is about.</param>
    /// <param name="Theirs">The paper's measure.</param>
    /// <param name="Order">Its values, best first.</param>
    /// <param name="Ours">The counterpart.</param>
    /// <param name="Of">Its value.</param>
    private sealed record Quality(string Title, string Theirs, string[] Order, string Ours, Func<IReadOnlyList<StudyRow>, Interval> Of)
    {
        public bool LessIsBetter { get; init; }

        public bool OfNeon { get; init; }

        public string Row(Measured[] measured)
        {
            var there = measured.Skip(1).Where(entry => entry.Rows.Count > 0).OrderBy(entry => (LessIsBetter ? 1 : -1) * Of(entry.Rows).Value).ToArray();
            var same = there.Select(entry => entry.System.Title).SequenceEqual(Order.Select(entry => entry[..entry.LastIndexOf(' ')]));
            var values = string.Join(", ", there.Select(entry => FormattableString.Invariant($"{entry.System.Title} {Of(entry.Rows).Value:0.00}")));
            return $"| {Title} | {Theirs}: {string.Join(", ", Order)} | {Ours}: {values} | {(same ? "the same" : "**another**")} |\n";
        }
    }
}
