using AnimateDiff.Plots;

namespace AnimateDiff.Training.Logging;

/// <summary>The curves of a run: training loss as it is and smoothed with the validation's mean, validation losses by timesteps, learning rate.</summary>
internal static class LossPlot
{
    private const int Timesteps = 1000;

    /// <summary>Draws the curves; where a step is logged twice, the later line counts.</summary>
    public static void Write(string path, IReadOnlyList<MetricsLine> lines)
    {
        MetricsLine[] steps = [.. Latest(lines.Where(line => line.Validation is null))];
        MetricsLine[] validations = [.. Latest(lines.Where(line => line.Validation is not null))];
        var average = new MovingAverage(Math.Max(10, steps.Length / 30.0));
        var panels = new List<LinePanel>
        {
            new("loss",
            [
                new PlotSeries("each step", [.. steps.Select(line => ((double)line.Step, line.Loss))]) { Ink = Ink.Of(0), Faint = true, Thickness = 1 },
                new PlotSeries("smoothed", [.. steps.Select(line => ((double)line.Step, average.Add(line.Loss)))]) { Ink = Ink.Of(0), Thickness = 2.5 },
                .. validations.Length == 0 ? Array.Empty<PlotSeries>() :
                    [new PlotSeries("validation", [.. validations.Select(line => ((double)line.Step, line.ValidationMean))]) { Ink = Ink.Of(1), Dots = true }],
            ]) { Share = 0.8 },
        };
        var buckets = validations.Select(line => line.Validation!.Count).DefaultIfEmpty().Max();
        if (buckets > 1)
            panels.Add(new LinePanel("validation loss", [.. Enumerable.Range(0, buckets).Select(bucket =>
                new PlotSeries($"t {bucket * Timesteps / buckets}-{(bucket + 1) * Timesteps / buckets - 1}",
                    [.. validations.Select(line => ((double)line.Step, bucket < line.Validation!.Count ? line.Validation[bucket] : double.NaN))]) { Dots = true })])
            { LogY = true, Share = 0.6 });
        panels.Add(new LinePanel("learning rate", [new PlotSeries("learning rate", [.. steps.Select(line => ((double)line.Step, line.LearningRate))]) { Ink = Ink.Of(2) }]) { Share = 0.3 });
        LinePlot.Write(path, "Training", "step", panels);
    }

    private static IEnumerable<MetricsLine> Latest(IEnumerable<MetricsLine> lines) => lines.GroupBy(line => line.Step).OrderBy(step => step.Key).Select(step => step.Last());
}
