using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AnimateDiff.Video;

namespace AnimateDiff.Evaluation;

/// <summary>What was measured: as a table, as JSON and as a plot.</summary>
/// <param name="Clips">Every clip, those of a system together.</param>
public sealed record EvaluationReport(IReadOnlyList<ClipMeasures> Clips)
{
    private const int SystemsAcross = 4;

    private IReadOnlyList<IGrouping<string, ClipMeasures>> Systems => [.. Clips.GroupBy(clip => clip.System)];

    /// <summary>What at least one clip has.</summary>
    private IReadOnlyList<Metric> Measured => [.. Metric.All.Where(metric => Clips.Any(clip => metric.Of(clip) is not null))];

    /// <summary>
    /// A table of means, a column for each system, below each other where there are more than four; of systems of several clips with the 95 % interval of the mean
    /// (percentile bootstrap).
    /// </summary>
    public string Table() => string.Join('\n', Systems.Chunk(SystemsAcross).Select(Table));

    private string Table(IGrouping<string, ClipMeasures>[] systems)
    {
        List<string[]> rows = [["", .. systems.Select(system => system.Key)], ["clips", .. systems.Select(system => $"{system.Count()}")]];
        rows.AddRange(Measured.Select(metric => (string[])[metric.Title, .. systems.Select(system => Text(metric, system))]));
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];
        var text = new StringBuilder();
        foreach (var row in rows)
            text.Append(string.Join("  ", row.Select((cell, column) => column == 0 ? cell.PadRight(widths[0]) : cell.PadLeft(widths[column]))).TrimEnd()).Append('\n');
        return text.ToString();
    }

    private static string Text(Metric metric, IEnumerable<ClipMeasures> clips)
    {
        var mean = metric.Mean(clips);
        return mean.Count == 1 ? FormattableString.Invariant($"{mean.Value.ToString($"F{metric.Digits}")}") : mean.Text(metric.Digits);
    }

    /// <summary>All clips with what was measured of them, and the systems' means with their 95 % intervals.</summary>
    public string ToJson()
    {
        var systems = new JsonArray();
        foreach (var system in Systems)
        {
            var means = new JsonObject();
            foreach (var metric in Measured)
                if (metric.Mean(system) is { Count: > 0 } mean)
                    means[metric.Key] = new JsonObject { ["count"] = mean.Count, ["mean"] = mean.Value, ["low"] = mean.Low, ["high"] = mean.High };
            systems.Add(new JsonObject { ["name"] = system.Key, ["clips"] = system.Count(), ["means"] = means });
        }
        return new JsonObject
        {
            ["program"] = Recipe.ProgramName,
            ["systems"] = systems,
            ["clips"] = JsonSerializer.SerializeToNode(Clips, Recipe.Json),
        }.ToJsonString(Recipe.Json);
    }

    /// <summary>Writes <see cref="ToJson"/> to a file, which appears complete or not at all.</summary>
    /// <exception cref="FileException">The place cannot be written to.</exception>
    public Task WriteJsonAsync(string path) => OutputFile.WriteAsync(path, temporary => File.WriteAllTextAsync(temporary, ToJson() + "\n"));

    /// <summary>Draws a panel for each number: the systems' means with their 95 % intervals.</summary>
    /// <param name="path">The PNG; replaced when it exists.</param>
    /// <exception cref="FileException">The place cannot be written to.</exception>
    public void WritePlot(string path) => Plots.IntervalPlot.Write(path, [.. Systems.Select(system => system.Key)],
        [.. Measured.Select(metric => new Plots.IntervalPanel(metric.Title, [.. Systems.Select(system => metric.Mean(system)).Select(mean => (mean.Value, mean.Low, mean.High))]))]);
}
