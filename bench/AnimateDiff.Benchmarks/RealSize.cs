using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace AnimateDiff.Benchmarks;

/// <summary>Seconds and peak memory of each stage of a generation at the real size, 256×256, guidance on; Linux only.</summary>
internal static partial class RealSize
{
    /// <summary>Names of what <see cref="Measure"/> prints; seconds of the processor say more where others use the machine too.</summary>
    public static string Header => $"{"stage",-34} {"seconds",8} {"cpu",8} {"peak MB",8}";

    public static void Run(string folder, string dtype, int[] chunks)
    {
        var options = new PipelineOptions { Base = Path.Combine(folder, "sd15"), Motion = Path.Combine(folder, "motion-v3.safetensors"), DType = PipelineOptions.ParseDType(dtype) };
        Console.WriteLine($"{dtype}, {get_num_threads()} threads\n{Header}");
        PipelineParts parts = null!;
        Measure("load", () => parts = PipelineParts.Load(options, null, null, CancellationToken.None));
        var weights = parts.UNet.parameters().Concat(parts.Vae.parameters()).Sum(parameter => parameter.numel() * parameter.element_size()) >> 20;
        Console.WriteLine($"{"weights of UNet, motion and VAE",-34} {"",8} {"",8} {weights,8}");

        using var _ = inference_mode();
        foreach (var frames in new[] { 8, 16 })
            Measure($"one step, {frames} frames", () =>
            {
                using var scope = NewDisposeScope();
                using var text = parts.UNet.Prepare(randn([2, 77, 768]));
                parts.UNet.call(randn([2, 4, frames, 32, 32]), full([2], 500.0), text);
            });
        foreach (var frames in new[] { 16, 64 })
            foreach (var chunk in chunks)
                Measure($"decode {frames} frames, {chunk} at once", () =>
                {
                    using var scope = NewDisposeScope();
                    parts.Vae.DecodeFrames(randn([1, 4, frames, 32, 32]), chunk, (_, _) => { });
                });
        parts.Dispose();
    }

    /// <summary>Runs a stage and prints its seconds, those of the processor, and the process's peak memory during it.</summary>
    public static void Measure(string stage, Action action)
    {
        File.WriteAllText("/proc/self/clear_refs", "5");                        // the peak starts again from what is resident now
        var (clock, before) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
        action();
        string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        Console.WriteLine($"{stage,-34} {Seconds(clock.Elapsed),8} {Seconds(Environment.CpuUsage.TotalTime - before),8} {Peak(),8}");
    }

    /// <summary>The most megabytes that the process has had.</summary>
    public static long Peak() => long.Parse(HighWater().Match(File.ReadAllText("/proc/self/status")).Groups[1].Value) >> 10;

    [GeneratedRegex(@"VmHWM:\s*(\d+) kB")]
    private static partial Regex HighWater();
}
