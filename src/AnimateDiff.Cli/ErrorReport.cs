namespace AnimateDiff.Cli;

/// <summary>What the program's exit status says.</summary>
internal static class ExitCodes
{
    public const int Done = 0;
    public const int Other = 1;
    public const int WrongArguments = 2;
    public const int BadFile = 3;
    public const int Cancelled = 4;
}

/// <summary>One sentence for the user on stderr, the trace on request, and the exit code that belongs to the error.</summary>
internal static class ErrorReport
{
    public static int Write(TextWriter output, Exception error, bool cancelled, bool verbose)
    {
        if (error is OperationCanceledException && cancelled)
        {
            output.WriteLine("animatediff: cancelled; nothing half-written was left.");
            return ExitCodes.Cancelled;
        }
        output.WriteLine($"animatediff: {Sentence(error)}");
        if (verbose)
            output.WriteLine(error);
        else if (error is not AnimateDiffException)
            output.WriteLine("This was not foreseen: run again with --verbose for the trace.");
        return error switch
        {
            RequestException => ExitCodes.WrongArguments,
            FileException => ExitCodes.BadFile,
            _ => ExitCodes.Other,
        };
    }

    private static string Sentence(Exception error) => error switch
    {
        AnimateDiffException => error.Message,
        OutOfMemoryException => "out of memory: use --memory low, or fewer frames or a smaller picture (--frames, --width, --height).",
        _ => $"{error.GetType().Name}: {error.Message}",
    };
}
