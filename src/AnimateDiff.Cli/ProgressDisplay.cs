using Spectre.Console;

namespace AnimateDiff.Cli;

/// <summary>Progress on stderr: live bars with the time left on a terminal, a plain line now and then elsewhere.</summary>
internal static class ProgressDisplay
{
    private static readonly IAnsiConsole Terminal = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });

    /// <summary>Runs <paramref name="work"/>, showing what it reports: a title, and how much of how much is done.</summary>
    public static async Task<T> RunAsync<T>(Func<IProgress<Step>, Task<T>> work)
    {
        if (Console.IsErrorRedirected)
            return await work(new Lines(TimeProvider.System));
        return await AnsiConsoleProgress().StartAsync(context => work(new Bars(context)));
    }

    /// <summary>Runs work of a pipeline.</summary>
    /// <param name="work">The work.</param>
    /// <param name="denoising">What its denoising is called.</param>
    public static Task<T> RunAsync<T>(Func<IProgress<GenerationProgress>, Task<T>> work, string denoising = "Denoising") =>
        RunAsync<T>(progress => work(new Relay<GenerationProgress>(step => progress.Report(new Step(step.Stage == GenerationStage.Denoise ? denoising : Title(step.Stage), step.Done, step.Total)))));

    /// <summary>How far a piece of work is.</summary>
    /// <param name="Title">What is being done.</param>
    /// <param name="Done">Units done.</param>
    /// <param name="Total">Units there are.</param>
    /// <param name="Note">What to show beside it, such as a speed.</param>
    public readonly record struct Step(string Title, double Done, double Total, string? Note = null);

    /// <summary>Reports on the caller's thread, in order (unlike <see cref="Progress{T}"/>).</summary>
    public sealed class Relay<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }

    private static string Title(GenerationStage stage) => stage switch
    {
        GenerationStage.Load => "Loading",
        GenerationStage.Encode => "Encoding",
        GenerationStage.Decode => "Decoding",
        GenerationStage.Interpolate => "Interpolating",
        _ => "Upscaling",
    };

    private static Progress AnsiConsoleProgress() => Terminal.Progress().AutoClear(true).Columns(
        new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn(), new RemainingTimeColumn());

    private sealed class Bars(ProgressContext context) : IProgress<Step>
    {
        private readonly Dictionary<string, ProgressTask> _tasks = [];

        public void Report(Step step)
        {
            lock (_tasks)
            {
                if (!_tasks.TryGetValue(step.Title, out var task))
                    _tasks[step.Title] = task = context.AddTask(step.Title, maxValue: step.Total);
                task.MaxValue = Math.Max(step.Total, 1e-9);
                task.Value = step.Done;
                task.Description = Markup.Escape(step.Note is null ? $"{step.Title} {step.Done:0}/{step.Total:0}" : $"{step.Title} {step.Note}");
            }
        }
    }

    private sealed class Lines(TimeProvider time) : IProgress<Step>
    {
        private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
        private string _title = "";
        private long _begun;
        private long _shown;

        public void Report(Step step)
        {
            lock (this)
            {
                if (step.Title != _title)
                    (_title, _begun, _shown) = (step.Title, time.GetTimestamp(), 0);
                var finished = step.Done >= step.Total;
                if (!finished && _shown != 0 && time.GetElapsedTime(_shown) < Pause)
                    return;
                _shown = time.GetTimestamp();
                var left = step.Done > 0 && !finished ? $", {Duration(time.GetElapsedTime(_begun) * ((step.Total - step.Done) / step.Done))} left" : "";
                Console.Error.WriteLine($"{step.Title} {step.Note ?? $"{step.Done:0}/{step.Total:0}"}{left}");
            }
        }

        private static string Duration(TimeSpan time) => time.TotalMinutes < 1 ? $"{time.TotalSeconds:0} s" : time.TotalHours < 1 ? $"{time:m\\:ss}" : $"{time:h\\:mm\\:ss}";
    }
}
