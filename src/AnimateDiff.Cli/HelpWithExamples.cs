using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Runtime.CompilerServices;

namespace AnimateDiff.Cli;

/// <summary>The usual help of a command, and its examples below.</summary>
internal sealed class HelpWithExamples(HelpAction usual) : SynchronousCommandLineAction
{
    private static readonly ConditionalWeakTable<Command, string> Examples = [];

    /// <summary>Sets what the help of <paramref name="command"/> shows below its options.</summary>
    public static Command WithExamples(Command command, string examples)
    {
        Examples.Add(command, examples);
        return command;
    }

    public override int Invoke(ParseResult parsed)
    {
        var code = usual.Invoke(parsed);
        if (Examples.TryGetValue(parsed.CommandResult.Command, out var examples))
            Console.WriteLine($"Examples:\n{examples}\n");
        return code;
    }
}
