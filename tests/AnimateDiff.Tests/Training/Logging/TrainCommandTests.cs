using AnimateDiff.Cli;
using AnimateDiff.Training;

namespace AnimateDiff.Tests.Training.Logging;

/// <summary>The train command around the training itself: arguments, plain progress lines, and what a stopped run says.</summary>
public sealed class TrainCommandTests
{
    [Theory]
    [InlineData("train", "No recipe")]
    [InlineData("train steps=5", "No recipe")]
    [InlineData("train recipe.yaml steps", "'steps'")]
    [InlineData("train recipe.yaml =5", "'=5'")]
    [InlineData("train recipe.yaml steps=5 --threads 0", "--threads 0")]
    [InlineData("train recipe.yaml --threads many", "--threads")]
    [InlineData("train recipe.yaml --rank 5", "--rank")]
    public async Task Wrong_arguments_are_refused_with_a_sentence(string command, string named)
    {
        using var error = new StringWriter();
        var code = await App.RunAsync(command.Split(' '), error, CancellationToken.None);
        Assert.Equal((2, true), (code, error.ToString().Contains(named)));
    }

    [Fact]
    public void Plain_lines_come_every_ten_seconds_and_messages_at_once()
    {
        var time = new SetTime();
        using var output = new StringWriter { NewLine = "\n" };
        var lines = new TrainDisplay.Lines(output, time);
        lines.Report(new TrainingProgress(0, 100, double.NaN, 1e-4, 0, null, "1 clip could not be read"));
        for (var step = 1; step <= 100; step++, time.Seconds += 3)
            lines.Report(new TrainingProgress(step, 100, 0.25, 1e-4, 0.5, TimeSpan.FromSeconds(3 * (100 - step)), step == 3 ? "checkpoint" : null));
        lines.Report(new TrainingProgress(100, 100, 0.25, 0, 0, null, "Step 100: checkpoint"));
        var written = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
        [
            "1 clip could not be read", "step 1/100, loss 0.2500, lr 1e-4, 0.50 clips/s, 4:57 left", "checkpoint", "step 5/100, loss 0.2500, lr 1e-4, 0.50 clips/s, 4:45 left",
            "step 9/100, loss 0.2500, lr 1e-4, 0.50 clips/s, 4:33 left",
        ], written[..5]);
        Assert.Equal(["step 100/100, loss 0.2500, lr 1e-4, 0.50 clips/s", "Step 100: checkpoint"], written[^2..]);
    }

    [Fact]
    public void A_stopped_run_names_the_command_that_goes_on()
    {
        var request = new TrainingRequest("my recipe.yaml") { Overrides = ["steps=5"] };
        var progress = new TrainingProgress(7, 9, 1, 1, 1, null, null) { Folder = "runs/a" };
        Assert.Equal("animatediff: stopped at step 7; go on with animatediff train --resume runs/a", TrainCommand.Stopped(request, progress));
        Assert.Contains("before the first step", TrainCommand.Stopped(request, null));
    }

    private sealed class SetTime : TimeProvider
    {
        public int Seconds { get; set; }

        public override long GetTimestamp() => Seconds * TimestampFrequency;
    }
}
