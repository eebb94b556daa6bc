using System.CommandLine;
using System.CommandLine.Invocation;
using AnimateDiff.Cli;

var root = new RootCommand("AnimateDiff: text to animation with Stable Diffusion 1.5 and motion modules.")
{
    GenerateCommand.Create(), RunCommand.Create(), ReproduceCommand.Create(), InspectCommand.Create(), ConvertCommand.Create(), PullCommand.Create(),
};
var verbose = new Option<bool>("--verbose") { Description = "Show the trace of an error.", Recursive = true };
root.Options.Add(verbose);

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
