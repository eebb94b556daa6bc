using AnimateDiff.Training;
using Spectre.Console;

namespace AnimateDiff.Cli;

/// <summary>A training's progress on stderr: a bar on a terminal, elsewhere a line now and then; messages above or between.</summary>
internal static class TrainDisplay
{
    private static readonly IAnsiConsole Terminal = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });

    /// <summary>Runs <paramref name="work"/>, showing what it reports.</summary>
    public static async Task<T> RunAsync<T>(Func<IProgress<TrainingProgress>, Task<T>> work)
    {
        if (Console.IsErrorRedirected)
            return await work(new Lines(Console.Error, TimeProvider.System));
        return await Terminal.Progress().AutoClear(true).Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn())
            .StartAsync(context => work(new Bar(context)));
    }

    /// <summary>Step, loss, learning rate, speed and time left in a line.</summary>
    internal static string Describe(TrainingProgress progress)
    {
        var loss = double.IsNaN(progress.Loss) ? "" : $", loss {progress.Loss:0.0000}";
        var speed = progress.ClipsPerSecond > 0 ? $", {progress.ClipsPerSecond:0.00##} clips/s" : "";
        var left = progress.Left is { } time && progress.Step < progress.Steps ? $", {Duration(time)} left" : "";
        return $"step {progress.Step}/{progress.Steps}{loss}, lr {progress.LearningRate:0.##e0}{speed}{left}";
    }

    // Between steps, such as at a checkpoint, there is neither learning rate nor speed to tell.
    private static bool IsOfStep(TrainingProgress progress) => progress.Step > 0 && progress.ClipsPerSecond > 0;

    private static string Duration(TimeSpan time)
        => time.TotalSeconds < 60 ? $"{time.TotalSeconds:0} s" : time.TotalHours < 1 ? $"{time:m\\:ss}" : $"{(long)time.TotalHours}{time:\\:mm\\:ss}";

    private sealed class Bar(ProgressContext context) : IProgress<TrainingProgress>
    {
        private readonly ProgressTask _task = context.AddTask("Preparing");

        public void Report(TrainingProgress progress)
        {
            if (progress.Message is { } message)
                Terminal.WriteLine(message);                                    // the live display moves down for it
            _task.MaxValue = Math.Max(1, progress.Steps);
            _task.Value = progress.Step;
            if (IsOfStep(progress))
                _task.Description = Markup.Escape(Describe(progress));
        }
    }

    /// <summary>The first step, the last one, about one every ten seconds, and every message.</summary>
    internal sealed class Lines(TextWriter output, TimeProvider time) : IProgress<TrainingProgress>
    {
        private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);
        private long? _shown;

        public void Report(TrainingProgress progress)
        {
            lock (this)
            {
                if (progress.Message is { } message)
                    output.WriteLine(message);
                if (!IsOfStep(progress) || progress.Step < progress.Steps && _shown is { } shown && time.GetElapsedTime(shown) < Pause)
                    return;
                _shown = time.GetTimestamp();
                output.WriteLine(Describe(progress));
            }
        }
    }
}
