using System.Diagnostics;

namespace AnimateDiff.Benchmarks;

/// <summary>How fast a base model and motion modules become a pipeline, and how soon a small one denoises.</summary>
internal static class LoadSpeed
{
    private const string FirstStep = "Denoising 1/";

    /// <summary>Loads the real-size model again and again: seconds, and GB of weight files a second. The first time, which brings the files into the page cache, is not counted.</summary>
    /// <param name="folder">Where <c>random-model</c> wrote it.</param>
    /// <param name="dtype">fp32 or bf16.</param>
    /// <param name="times">How often.</param>
    public static void Load(string folder, string dtype, int times)
    {
        var options = new PipelineOptions { Base = Path.Combine(folder, "sd15"), Motion = Path.Combine(folder, "motion-v3.safetensors"), DType = PipelineOptions.ParseDType(dtype) };
        var gigabytes = Directory.GetFiles(options.Base, "*.safetensors", SearchOption.AllDirectories).Append(options.Motion).Sum(file => new FileInfo(file).Length) / 1e9;
        var seconds = Enumerable.Range(0, times + 1).Select(_ =>
        {
            var clock = Stopwatch.StartNew();
            using var parts = PipelineParts.Load(options, null, null, CancellationToken.None);
            return clock.Elapsed.TotalSeconds;
        }).Skip(1).ToArray();
        Print($"load, {dtype}, {gigabytes:0.00} GB", seconds);
        Console.WriteLine($"{gigabytes / Pair.Median(seconds):0.00} GB/s");
    }

    /// <summary>
    /// Seconds from the start of a process: until libtorch is loaded and has made a tensor, and until the embedded model has taken its first denoising step, in turn. The difference
    /// is what everything else takes.
    /// </summary>
    /// <param name="program">The command-line program.</param>
    /// <param name="times">How often.</param>
    public static void Start(string program, int times)
    {
        var (library, step) = (new List<double>(), new List<double>());
        for (var i = 0; i <= times; i++)
        {
            library.Add(Until(Environment.ProcessPath!, ["libtorch"], "loaded"));
            var clip = Path.Combine(Path.GetTempPath(), $"animatediff-start-{Guid.NewGuid():N}.gif");
            step.Add(Until(program, ["generate", "a red ball moves right", "--out", clip, "--steps", "1"], FirstStep));
            File.Delete(clip);
        }
        Print("libtorch", [.. library.Skip(1)]);
        Print("first step of Toybox", [.. step.Skip(1)]);
        Print("the difference", [.. step.Zip(library, (whole, part) => whole - part).Skip(1)]);
    }

    /// <summary>What <see cref="Start"/> starts for libtorch's share.</summary>
    public static void Library()
    {
        using var tensor = zeros(1);
        Console.WriteLine("loaded");
    }

    private static double Until(string program, string[] arguments, string text)
    {
        var clock = Stopwatch.StartNew();
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var found = 0d;
        void Look(object _, DataReceivedEventArgs line)
        {
            if (found == 0 && line.Data?.StartsWith(text, StringComparison.Ordinal) == true)
                found = clock.Elapsed.TotalSeconds;
        }
        process.OutputDataReceived += Look;
        process.ErrorDataReceived += Look;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        process.WaitForExit();
        return found > 0 ? found : throw new InvalidOperationException($"{program} ended with {process.ExitCode} and did not print '{text}'.");
    }

    private static void Print(string what, double[] seconds) =>
        Console.WriteLine($"{what}: median {Pair.Median(seconds):0.00} s, {seconds.Min():0.00} to {seconds.Max():0.00}, {seconds.Length} times");
}
