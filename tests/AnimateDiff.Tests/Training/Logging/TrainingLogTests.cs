using System.Text.Json;
using AnimateDiff.Training.Logging;
using ImageMagick;

namespace AnimateDiff.Tests.Training.Logging;

/// <summary>What a run's folder holds after steps, kills and resumes.</summary>
public sealed class TrainingLogTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_line_is_json_with_the_documented_names()
    {
        using (var log = TrainingLog.Open(_folder.Path, 0))
        {
            log.Step(1, 0.5, 1e-4, 2, 0.25);
            log.Validation(1, [0.25, 0.75]);
            Assert.Equal(2, Metrics().Length);                              // on the disk while the run goes on
        }
        Assert.Equal(["""{"step":1,"loss":0.5,"learning_rate":0.0001,"gradient_norm":2,"clips_per_second":0.25}""", """{"step":1,"validation":[0.25,0.75],"validation_mean":0.5}"""],
            Metrics().Select(line => line.Replace("1E-04", "0.0001")));
    }

    [Fact]
    public void Numbers_that_json_does_not_have_are_null_and_read_as_nan()
    {
        using (var log = TrainingLog.Open(_folder.Path, 0))
        {
            log.Step(1, double.NaN, 1e-4, double.PositiveInfinity, 1);
            log.Validation(2, [double.NaN, 1]);
        }
        using var step = JsonDocument.Parse(Metrics()[0]);
        Assert.Equal((JsonValueKind.Null, JsonValueKind.Null), (step.RootElement.GetProperty("loss").ValueKind, step.RootElement.GetProperty("gradient_norm").ValueKind));
        var lines = MetricsFile.Read(_folder[TrainingLog.Metrics]);
        Assert.Equal((double.NaN, 1e-4), (lines[0].Loss, lines[0].LearningRate));
        Assert.Equal([double.NaN, 1], lines[1].Validation!);
        Assert.Equal(double.NaN, lines[1].ValidationMean);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"step\":4,\"loss\":0.")]
    [InlineData("{\"ste")]
    [InlineData("\0\0\0\0")]                                                // what a crash of the machine may leave
    public void Resume_drops_later_steps_and_half_a_line(string end)
    {
        Log(0, 1, 2, 3, 4);
        File.AppendAllText(_folder[TrainingLog.Metrics], end);
        Log(2, 3);
        Assert.Equal([1, 2, 3], MetricsFile.Read(_folder[TrainingLog.Metrics]).Select(line => line.Step));
        Assert.All(Metrics(), line => JsonDocument.Parse(line).Dispose());
    }

    [Fact]
    public void A_whole_line_without_its_end_is_kept_and_ended()
    {
        Log(0, 1, 2);
        var path = _folder[TrainingLog.Metrics];
        File.WriteAllText(path, File.ReadAllText(path).TrimEnd('\n'));
        Log(2, 3);
        Assert.Equal([1, 2, 3], MetricsFile.Read(path).Select(line => line.Step));
    }

    [Fact]
    public void A_resumed_log_equals_an_uninterrupted_one()
    {
        Log(0, 1, 2, 3, 4);
        var whole = File.ReadAllText(_folder[TrainingLog.Metrics]);
        Log(2, 3, 4);
        Assert.Equal(whole, File.ReadAllText(_folder[TrainingLog.Metrics]));
    }

    [Fact]
    public void A_new_run_keeps_nothing_of_an_old_one()
    {
        using (var log = TrainingLog.Open(_folder.Path, 0))
            log.Validation(0, [1, 2]);
        Log(0, 1);
        Assert.Equal([1], MetricsFile.Read(_folder[TrainingLog.Metrics]).Select(line => line.Step));
    }

    [Fact]
    public void A_resume_begins_a_further_event_file_that_voids_later_steps()
    {
        var time = new FixedTime();
        TrainingLog.Open(_folder.Path, 0, time).Dispose();
        TrainingLog.Open(_folder.Path, 5, time).Dispose();                  // within the same second
        var files = Directory.GetFiles(_folder.Path, EventFile.Prefix + "*").Order().ToArray();
        Assert.Equal([0, 6], files.Select(file => EventRecords.Read(file).Single(message => message.ContainsKey("session_log")).Integer("step")));
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_named()
    {
        var path = _folder.Write("file", "");
        var error = Assert.Throws<FileException>(() => TrainingLog.Open(path, 0));
        Assert.Contains(path, error.Message);
    }

    [Fact]
    public void A_picture_that_is_none_is_named()
    {
        using var log = TrainingLog.Open(_folder.Path, 0);
        var text = _folder.Write("sample.png", "no picture");
        Assert.Contains(text, Assert.Throws<FileException>(() => log.Picture(1, "samples", text)).Message);
        Assert.Contains("/nowhere.png", Assert.Throws<FileException>(() => log.Picture(1, "samples", "/nowhere.png")).Message);
    }

    [Fact]
    public void Plot_has_a_panel_for_each_kind_of_number_there_is()
    {
        using var log = TrainingLog.Open(_folder.Path, 0);
        uint Height()
        {
            log.Plot();
            return new MagickImageInfo(_folder[TrainingLog.Curves]).Height;
        }
        var empty = Height();                                               // no step yet, as after an error in the first one
        log.Step(1, double.NaN, 1e-4, 1, 1);
        Assert.Equal(empty, Height());
        log.Validation(1, [0.2, 0.1]);
        Assert.True(Height() > empty + 200);
        Assert.DoesNotContain(_folder.Entries, entry => entry.StartsWith(".animatediff"));
    }

    [Theory]
    [InlineData(1, new double[] { 4, double.NaN, 8 }, 8)]
    [InlineData(2, new double[] { 4, 4, 4 }, 4)]
    [InlineData(2, new double[] { 1, 2 }, 5.0 / 3)]                         // (½·½·1 + ½·2) / (½·½ + ½)
    [InlineData(5, new double[] { double.NaN }, double.NaN)]
    public void Moving_average_is_unbiased_from_the_start(double window, double[] values, double expected)
    {
        var average = new MovingAverage(window);
        foreach (var value in values)
            average.Add(value);
        Assert.Equal(expected, average.Value, 12);
    }

    private void Log(long from, params long[] steps)
    {
        using var log = TrainingLog.Open(_folder.Path, from);
        foreach (var step in steps)
            log.Step(step, 1.0 / step, 1e-4, step, 0.5);
    }

    private string[] Metrics()
    {
        using var file = new FileStream(_folder[TrainingLog.Metrics], FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        return new StreamReader(file).ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private sealed class FixedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);
    }
}
