using System.CommandLine;
using AnimateDiff.Training.Dataset;
using Spectre.Console;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff dataset check</c></summary>
internal static class DatasetCommand
{
    private const int MostNamed = 20;

    public static Command Create() => new("dataset", "Looks at training data.") { Check() };

    private static Command Check()
    {
        var paths = new Argument<string[]>("path")
        {
            Description = "A WebVid CSV, a JSONL file, a folder of videos or images, or several of them.",
            Arity = ArgumentArity.OneOrMore,
        };
        var videos = new Option<string?>("--video-folder") { Description = "Where the videos of a CSV are.", HelpName = "DIR" };
        var json = new Option<bool>("--json") { Description = "Print everything as JSON." };
        var command = new Command("check",
            "Reads every frame of a training set and reports what cannot be read and why, lengths, rates, sizes, captions, motion and cuts. "
            + "The exit code is 3 when nothing can be read.") { paths, videos, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var report = await ProgressDisplay.RunAsync<DatasetReport>(progress => DatasetCheck.RunAsync(
                parsed.GetValue(paths)!, parsed.GetValue(videos), new ProgressDisplay.Relay<DatasetProgress>(step => progress.Report(Shown(step))), cancellationToken));
            if (parsed.GetValue(json))
                Console.WriteLine(report.ToJson());
            else
                Print(report);
            return report.Readable > 0 ? ExitCodes.Done : ExitCodes.BadFile;
        });
        return HelpWithExamples.WithExamples(command, """
              animatediff dataset check clips/
              animatediff dataset check results_10M_train.csv --video-folder videos/
              animatediff dataset check captions.jsonl more-clips/ --json
            """);
    }

    private static ProgressDisplay.Step Shown(DatasetProgress step) =>
        new("Reading", step.Done, step.Total, $"{step.Done}/{step.Total}{(step.Unreadable > 0 ? $", {step.Unreadable} unreadable" : "")}");

    private static void Print(DatasetReport report)
    {
        Console.WriteLine($"{Count(report.Entries, "entry", "entries")}: {Count(report.Videos, "video")}, {Count(report.Images, "image")}, {report.Unreadable.Count} unreadable");
        var table = new Table { Border = TableBorder.Simple };
        table.AddColumn("").AddColumn(new TableColumn("least").RightAligned()).AddColumn(new TableColumn("median").RightAligned())
            .AddColumn(new TableColumn("most").RightAligned());
        foreach (var (title, spread) in new[]
                 {
                     ("frames", report.Frames), ("frames a second", report.Fps), ("width", report.Width), ("height", report.Height), ("motion (levels of 255)", report.Motion),
                 })
            if (spread is not null)
                table.AddRow(title, Number(spread.Least), Number(spread.Median), Number(spread.Most));
        if (table.Rows.Count > 0)
            Console.WriteLine(Text(table));
        Console.WriteLine($"duration   {TimeSpan.FromSeconds(report.TotalSeconds):d\\.hh\\:mm\\:ss\\.f}".Replace(" 0.", " ", StringComparison.Ordinal));
        Console.WriteLine($"captions   {report.Entries - report.MissingCaptions}, {report.MissingCaptions} missing, {Number(report.MeanCaptionWords)} words on average");
        if (report.LongestCaption.Length > 0)
            Console.WriteLine($"longest    {(report.LongestCaption.Length <= 200 ? report.LongestCaption : report.LongestCaption[..200] + "…")}");
        Name("Still clips", report.StillClips);
        Name("Clips with cuts", [.. report.ClipsWithCuts.Select(clip => $"{clip.Name}: at frame {string.Join(", ", clip.Frames.Take(10))}")]);
        Name("Unreadable", [.. report.Unreadable.Select(entry => $"{entry.Name}: {entry.Reason}")]);
    }

    private static void Name(string title, IReadOnlyList<string> lines)
    {
        if (lines.Count == 0)
            return;
        Console.WriteLine($"\n{title} ({lines.Count})");
        foreach (var line in lines.Take(MostNamed))
            Console.WriteLine($"  {line}");
        if (lines.Count > MostNamed)
            Console.WriteLine($"  … and {lines.Count - MostNamed} more (--json names all)");
    }

    private static string Count(int count, string one, string? many = null) => $"{count} {(count == 1 ? one : many ?? one + "s")}";

    private static string Number(double value) => value.ToString("0.###");

    private static string Text(Table table)
    {
        using var text = new StringWriter();
        AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(text) }).Write(table);
        return text.ToString().TrimEnd();
    }
}
