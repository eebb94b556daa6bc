using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using AnimateDiff.Evaluation;
using AnimateDiff.Plots;
using AnimateDiff.Training.Logging;

namespace AnimateDiff.Toybox.Study;

/// <summary>e. How the trainings went, from their own logs.</summary>
internal static partial class ConvergenceSection
{
    private const int LeastSteps = 20;

    /// <summary>A run's log, put together.</summary>
    private sealed record Training(string Name, string Stage, int Batch, (double Step, double Loss)[] Losses, double[] Validations, double ClipsPerSecond, string Memory)
    {
        public Interval First => Interval.OfMean(Losses.Take(End), step => step.Loss);

        public double Steps => Losses[^1].Step;

        public Interval Last => Interval.OfMean(Losses.TakeLast(End), step => step.Loss);

        /// <summary>A tenth of the run.</summary>
        private int End => Math.Max(LeastSteps, Losses.Length / 10);

        /// <summary>Time spent in training steps, without validations and checkpoints.</summary>
        public TimeSpan Time => TimeSpan.FromSeconds(double.IsFinite(ClipsPerSecond) ? Steps * Batch / ClipsPerSecond : 0);
    }

    public static StudySection Make(StudyRun run)
    {
        var folder = Path.Combine(run.Options.Models, "training");
        Training[] trainings = [.. Directory.Exists(folder)
            ? Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal).Where(path => File.Exists(Path.Combine(path, TrainingLog.Metrics))).Select(Read).Where(training => training.Losses.Length > 0)
            : []];
        const string claim = "Each stage can be trained by itself: the domain adapter in the image model, the motion module on frozen image layers, MotionLoRA on a frozen motion module.";
        if (trainings.Length == 0)
            return new('e', "Convergence", claim, new(null, "No training's log is there."), "not measured: `training/*/metrics.jsonl` not there");
        LinePlot.Write(run.Picture("losses.png"), "Smoothed losses, relative to the first tenth of each run", "share of the run, %", "loss / loss of the first tenth",
            [.. trainings.Select((training, index) => new PlotSeries(training.Name, Curve(training)) { Ink = Ink.Of(index), Thickness = index < 7 ? 2 : 1 })], logY: true);
        var falling = trainings.Where(training => training.Last.High < training.First.Low).ToArray();
        return new('e', "Convergence", claim,
            new(falling.Length == trainings.Length,
                $"The loss fell in {falling.Length} of {trainings.Length} runs (held where in every run the interval of the mean loss in the last tenth of the steps is below that in the first tenth).{(falling.Length == trainings.Length ? "" : $" It did not in {string.Join(", ", trainings.Except(falling).Select(training => training.Name))}.")}"),
            $"""
            From the logs of the runs that made the shipped weights, each of their lines the mean over a hundredth of the run. Losses are means over the first and the last tenth of the steps; the
            validation's is on clips that were not trained on, before the first and after the last step. Time is that of the training steps alone.

            {Table(trainings)}
            {StudyPage.Image("losses.png", "Smoothed losses of all runs")}
            """);
    }

    private static string Table(IEnumerable<Training> trainings)
    {
        var text = new StringBuilder("| Run | Stage | Steps | Batch | First loss | Last loss | Validation | Clips or pictures a second | Time | Peak memory |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
        foreach (var training in trainings)
            text.Append(CultureInfo.InvariantCulture, $"| {training.Name} | {training.Stage} | {training.Steps} | {training.Batch} | {training.First.Text(4)} | {training.Last.Text(4)} | {(training.Validations.Length < 2 ? "–" : FormattableString.Invariant($"{training.Validations[0]:F4} to {training.Validations[^1]:F4}"))} | {training.ClipsPerSecond:F2} | {training.Time:h\\:mm\\:ss} | {training.Memory} |\n");
        return text.ToString();
    }

    private static Training Read(string folder)
    {
        var path = Path.Combine(folder, TrainingLog.Metrics);
        var lines = MetricsFile.Read(path);
        var steps = lines.Where(line => line.Validation is null && double.IsFinite(line.Loss)).GroupBy(line => line.Step).OrderBy(group => group.Key).Select(group => group.Last()).ToArray();
        double[] speeds = [.. File.ReadLines(path).Select(line => Speed().Match(line)).Where(match => match.Success).Select(match => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).Where(speed => speed > 0)];
        var recipe = Path.Combine(folder, "recipe.yaml");
        var settings = File.Exists(recipe) ? File.ReadLines(recipe).Select(line => line.Split(':', 2)).Where(pair => pair.Length == 2).GroupBy(pair => pair[0]).ToDictionary(group => group.Key, group => group.First()[1].Trim()) : [];
        var batch = int.TryParse(settings.GetValueOrDefault("batch_size"), out var size) ? size : 4;
        if (int.TryParse(settings.GetValueOrDefault("gradient_accumulation"), out var parts))
            batch *= parts;
        return new(Path.GetFileName(folder), settings.GetValueOrDefault("stage", "–"), batch, [.. steps.Select(line => ((double)line.Step, line.Loss))], [.. lines.Select(line => line.ValidationMean).Where(double.IsFinite)],
            speeds.Length == 0 ? double.NaN : speeds.Length / speeds.Sum(speed => 1 / speed), Memory(Path.Combine(folder, "summary.json")));
    }

    /// <summary>The largest number of a summary whose name says that it is a peak, in bytes.</summary>
    private static string Memory(string path)
    {
        if (!File.Exists(path))
            return "–";
        using var summary = JsonDocument.Parse(File.ReadAllText(path));
        var peak = summary.RootElement.EnumerateObject().Where(entry => entry.Name.Contains("peak", StringComparison.OrdinalIgnoreCase) && entry.Value.ValueKind == JsonValueKind.Number)
            .Select(entry => entry.Value.GetDouble()).DefaultIfEmpty().Max();
        return peak > 0 ? FormattableString.Invariant($"{peak / (1 << 30):F1} GiB") : "–";
    }

    /// <summary>The smoothed loss over the share of the run done, as a part of the first tenth's mean; runs of all lengths and losses fit one plot so.</summary>
    private static (double, double)[] Curve(Training training)
    {
        var average = new MovingAverage(Math.Max(10, training.Losses.Length / 30.0));
        var smoothed = training.Losses.Select(step => average.Add(step.Loss)).ToArray();
        var (every, first) = (Math.Max(1, smoothed.Length / 400), training.First.Value);
        return [.. Enumerable.Range(0, smoothed.Length).Where(i => i % every == 0).Select(i => (100.0 * i / smoothed.Length, smoothed[i] / first))];
    }

    [GeneratedRegex("\"clips_per_second\":([0-9.eE+-]+)")]
    private static partial Regex Speed();
}
