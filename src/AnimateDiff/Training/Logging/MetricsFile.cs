using System.Text.Json;
using AnimateDiff.Video;

namespace AnimateDiff.Training.Logging;

/// <summary>A line of <c>metrics.jsonl</c>: a step's numbers or a validation's. Numbers that are absent or null (NaN, ∞) are NaN.</summary>
/// <param name="Step">Optimizer steps done.</param>
/// <param name="Loss">Loss of the step.</param>
/// <param name="LearningRate">Learning rate of the step.</param>
/// <param name="Validation">Validation losses, one for each of equal buckets of the timesteps 0…999; null in a step's line.</param>
/// <param name="ValidationMean">Their mean.</param>
internal sealed record MetricsLine(long Step, double Loss, double LearningRate, IReadOnlyList<double>? Validation, double ValidationMean)
{
    /// <summary>The line in a text, or null when it is none, such as half of one.</summary>
    public static MetricsLine? Parse(string text)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            var line = json.RootElement;
            double Number(string name) => line.TryGetProperty(name, out var value) ? Value(value) : double.NaN;
            double[]? validation = line.TryGetProperty("validation", out var losses) ? [.. losses.EnumerateArray().Select(Value)] : null;
            return new MetricsLine(line.GetProperty("step").GetInt64(), Number("loss"), Number("learning_rate"), validation, Number("validation_mean"));
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            return null;
        }
    }

    private static double Value(JsonElement number) => number.ValueKind == JsonValueKind.Null ? double.NaN : number.GetDouble();
}

/// <summary><c>metrics.jsonl</c>: one JSON object a line, whole lines only, each on the disk before the next step.</summary>
internal sealed class MetricsFile : IDisposable
{
    private readonly FileStream _stream;

    private MetricsFile(FileStream stream) => _stream = stream;

    /// <summary>Opens the file to go on after <paramref name="lastStep"/>: lines of later steps and what a killed run left of a line are dropped.</summary>
    public static MetricsFile Open(string path, long lastStep)
    {
        if (File.Exists(path))
        {
            var lines = File.ReadAllLines(path);
            string[] kept = [.. lines.Where(line => MetricsLine.Parse(line) is { } parsed && parsed.Step <= lastStep)];
            OutputFile.WriteAsync(path, temporary => File.WriteAllTextAsync(temporary, string.Concat(kept.Select(line => line + "\n")))).GetAwaiter().GetResult();
        }
        return new MetricsFile(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite));
    }

    /// <summary>All lines, in order; what is no line is left out.</summary>
    public static IReadOnlyList<MetricsLine> Read(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file);
        var lines = new List<MetricsLine>();
        while (reader.ReadLine() is { } text)
            if (MetricsLine.Parse(text) is { } line)
                lines.Add(line);
        return lines;
    }

    /// <summary>Adds a line of a step's numbers, by name.</summary>
    public void Add(long step, params ReadOnlySpan<(string Name, double Value)> numbers)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("step", step);
            foreach (var (name, value) in numbers)
            {
                json.WritePropertyName(name);
                WriteNumber(json, value);
            }
            json.WriteEndObject();
        }
        Append(buffer);
    }

    /// <summary>Adds a validation's line.</summary>
    public void AddValidation(long step, IReadOnlyList<double> losses, double mean)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("step", step);
            json.WriteStartArray("validation");
            foreach (var loss in losses)
                WriteNumber(json, loss);
            json.WriteEndArray();
            json.WritePropertyName("validation_mean");
            WriteNumber(json, mean);
            json.WriteEndObject();
        }
        Append(buffer);
    }

    public void Dispose() => _stream.Dispose();

    // JSON has no NaN and no infinity.
    private static void WriteNumber(Utf8JsonWriter json, double value)
    {
        if (double.IsFinite(value))
            json.WriteNumberValue(value);
        else
            json.WriteNullValue();
    }

    /// <summary>One write call for a line and its end.</summary>
    private void Append(MemoryStream line)
    {
        line.WriteByte((byte)'\n');
        _stream.Write(line.GetBuffer(), 0, (int)line.Length);
        _stream.Flush();
    }
}
