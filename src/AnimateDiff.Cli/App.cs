using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace AnimateDiff.Cli;

/// <summary>The program: from arguments to an exit code.</summary>
internal static class App
{
    /// <summary>Runs a command; what went wrong is one sentence on <paramref name="error"/>.</summary>
    public static async Task<int> RunAsync(string[] args, TextWriter error, CancellationToken cancellationToken)
    {
        var help = new HelpOption();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        var verbose = new Option<bool>("--verbose") { Description = "Show the trace of an error.", Recursive = true };
        var root = new Command("animatediff", "AnimateDiff: text to animation with Stable Diffusion 1.5 and motion modules.")
        {
            GenerateCommand.Create(), RunCommand.Create(), ReproduceCommand.Create(), InvertCommand.Create(), EnhanceCommand.Create(), TrainCommand.Create(), DatasetCommand.Create(), ToyboxCommand.Create(),
            InspectCommand.Create(), EvaluateCommand.Create(), ConvertCommand.Create(), PullCommand.Create(),
            help, new VersionOption(), verbose,
        };

        ParseResult parsed;
        try
        {
            parsed = root.Parse(ConfigFile.Expand(root, args));
        }
        catch (Exception problem)
        {
            return ErrorReport.Write(error, problem, cancelled: false, args.Contains(verbose.Name));
        }
        var streams = new InvocationConfiguration { Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
        if (parsed.Action is ParseErrorAction wrong)
        {
            wrong.ShowHelp = false;
            await parsed.InvokeAsync(streams, cancellationToken);
            return ExitCodes.WrongArguments;
        }
        try
        {
            return await parsed.InvokeAsync(streams, cancellationToken);
        }
        catch (Exception problem)
        {
            return ErrorReport.Write(error, problem, cancellationToken.IsCancellationRequested, parsed.GetValue(verbose));
        }
    }
}
