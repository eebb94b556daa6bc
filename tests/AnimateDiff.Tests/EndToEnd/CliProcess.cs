using System.Diagnostics;
using System.Runtime.InteropServices;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>The built program in a process of its own.</summary>
internal static partial class CliProcess
{
    public const int Interrupt = 2;                                         // SIGINT

    /// <summary>Runs it to the end.</summary>
    public static Task<(int Code, string Output, string Error)> RunAsync(params string[] args) => RunAsync(new Dictionary<string, string>(), args);

    /// <summary>Runs it to the end with the given environment beside the usual one.</summary>
    public static Task<(int Code, string Output, string Error)> RunAsync(IReadOnlyDictionary<string, string> environment, params string[] args) => RunInAsync("", environment, args);

    /// <summary>Runs it to the end in a folder.</summary>
    public static async Task<(int Code, string Output, string Error)> RunInAsync(string folder, IReadOnlyDictionary<string, string> environment, params string[] args)
    {
        using var process = Start(environment, args, folder);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    /// <summary>Starts it with the given environment beside the usual one.</summary>
    public static Process Start(IReadOnlyDictionary<string, string> environment, string[] args, string folder = "")
    {
        var info = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "animatediff-cli"), args)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        foreach (var (name, value) in environment)
            info.Environment[name] = value;
        return Process.Start(info)!;
    }

    /// <summary>Sends a signal, as Ctrl-C does.</summary>
    public static void Signal(Process process, int signal) => Assert.Equal(0, Kill(process.Id, signal));

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
