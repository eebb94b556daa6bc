using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using AnimateDiff.Cli;

var help = new HelpOption();
help.Action = new HelpWithExamples((HelpAction)help.Action!);
var verbose = new Option<bool>("--verbose") { Description = "Show the trace of an error.", Recursive = true };
var root = new Command("animatediff", "AnimateDiff: text to animation with Stable Diffusion 1.5 and motion modules.")
{
    GenerateCommand.Create(), RunCommand.Create(), ReproduceCommand.Create(), InspectCommand.Create(), ConvertCommand.Create(), PullCommand.Create(),
    help, new VersionOption(), verbose,
};

var parsed = root.Parse(args);
if (parsed.Action is ParseErrorAction wrong)
{
    wrong.ShowHelp = false;
    wrong.Invoke(parsed);
    return ExitCodes.WrongArguments;
}

using var cancellation = new Cancellation();
try
{
    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, cancellation.Token);
}
catch (Exception error)
{
    return ErrorReport.Write(Console.Error, error, cancellation.Token.IsCancellationRequested, parsed.GetValue(verbose));
}
