using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace AnimateDiff.Benchmarks;

/// <summary>Seconds and peak memory of each stage of a generation at the real size, 256×256, guidance on; Linux only.</summary>
internal static partial class RealSize
{
    public static void Run(string folder, string dtype, int[] chunks)
    {
        var options = new PipelineOptions { Base = Path.Combine(folder, "sd15"), Motion = Path.Combine(folder, "motion-v3.safetensors"), DType = PipelineOptions.ParseDType(dtype) };
        Console.WriteLine($"{dtype}, {get_num_threads()} threads\n{"stage",-34} {"seconds",8} {"peak MB",8}");
        PipelineParts parts = null!;
        Measure("load", () => parts = PipelineParts.Load(options, null, null, CancellationToken.None));
        var weights = parts.UNet.parameters().Concat(parts.Vae.parameters()).Sum(parameter => parameter.numel() * parameter.element_size()) >> 20;
        Console.WriteLine($"{"weights of UNet, motion and VAE",-34} {"",8} {weights,8}");

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

    private static void Measure(string stage, Action action)
    {
        File.WriteAllText("/proc/self/clear_refs", "5");                        // the peak starts again from what is resident now
        var clock = Stopwatch.StartNew();
        action();
        Console.WriteLine($"{stage,-34} {clock.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture),8} {Peak(),8}");
    }

    private static long Peak() => long.Parse(HighWater().Match(File.ReadAllText("/proc/self/status")).Groups[1].Value) >> 10;

    [GeneratedRegex(@"VmHWM:\s*(\d+) kB")]
    private static partial Regex HighWater();
}
