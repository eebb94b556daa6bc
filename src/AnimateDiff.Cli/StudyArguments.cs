using System.CommandLine;
using AnimateDiff.Toybox.Study;

namespace AnimateDiff.Cli;

/// <summary>The options that measurements of the embedded models share.</summary>
internal sealed class StudyArguments
{
    private readonly Option<int> _steps = new("--steps") { Description = "Denoising steps.", DefaultValueFactory = _ => 20, HelpName = "N" };
    private readonly Option<double> _guidance = new("--guidance") { Description = "Guidance scale.", DefaultValueFactory = _ => EmbeddedToybox.Guidance, HelpName = "SCALE" };
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of scenes and noise.", DefaultValueFactory = _ => 1, HelpName = "N" };
    private readonly Option<string> _output = new("--out") { Description = "Folder of the page and its pictures.", DefaultValueFactory = _ => "docs", HelpName = "DIR" };
    private readonly Option<string> _device = new("--device") { Description = "cpu or cuda.", DefaultValueFactory = _ => "cpu" };
    private readonly Option<int?> _threads = new("--threads") { Description = "CPU threads; all cores by default.", HelpName = "N" };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_steps, _guidance, _seed, _output, _device, _threads])
            command.Options.Add(option);
    }

    /// <summary>Measures, with progress shown, and prints the page's path.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="measure">What is measured.</param>
    /// <param name="with">Options with those of the command alone.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<int> RunAsync(ParseResult parsed, Func<StudyOptions, IProgress<StudyProgress>, CancellationToken, Task<string>> measure,
        Func<StudyOptions, StudyOptions> with, CancellationToken cancellationToken)
    {
        var options = with(new StudyOptions
        {
            Models = EmbeddedToybox.Folder,
            Output = parsed.GetValue(_output)!,
            Steps = parsed.GetValue(_steps),
            Guidance = parsed.GetValue(_guidance),
            Seed = parsed.GetValue(_seed),
            Device = parsed.GetValue(_device)!,
            Threads = parsed.GetValue(_threads),
        });
        Console.WriteLine(await ProgressDisplay.RunAsync<string>(progress => measure(options,
            new ProgressDisplay.Relay<StudyProgress>(step => progress.Report(new ProgressDisplay.Step(step.Title, step.Done, step.Total))), cancellationToken)));
        return ExitCodes.Done;
    }
}
