using System.Globalization;
using AnimateDiff.Video;

namespace AnimateDiff.Benchmarks;

/// <summary>
/// What the approximate modes cost and save: the same clips with each of them and without, in one process and in turn. The table is that of docs/speed.md.
/// </summary>
internal static class ModeCost
{
    private const double Guidance = 4;

    private static readonly string[] Prompts =
    [
        "a red ball moves right in the day", "a blue box spins on grass", "a green ball moves up in the desert", "a yellow star bounces at night",
        "a purple ball moves left on grass", "a blue star grows at night", "a red box shrinks in the desert", "a yellow ball stays still in the day",
    ];

    // Settings as on the command line, what they are, and with which of the modes before it the clips are compared; null for the exact ones.
    private sealed record Mode(string Flags, Func<GenerationRequest, GenerationRequest> Set, string? ComparedWith);

    private const string Exact = "", Better = "--scheduler dpmpp-2m --steps 12";

    private static readonly Mode[] Modes =
    [
        new(Exact, request => request, null),
        .. new[] { "2", "3", "5", "2:1", "3:1", "5:1" }.Select(cache => new Mode($"--deep-cache {cache}", request => request with { DeepCache = DeepCache.Parse(cache) }, Exact)),
        .. new[] { "0-0.8", "0-0.6", "0.2-1", "0.2-0.8" }.Select(steps => new Mode($"--guidance-interval {steps}", request => request with { GuidanceInterval = GuidanceInterval.Parse(steps) }, Exact)),
        new(Better, Fewer, Exact),
        new($"{Better} --deep-cache 2:1", request => Fewer(request) with { DeepCache = new(2, 1) }, Better),
        new($"{Better} --guidance-interval 0-0.8", request => Fewer(request) with { GuidanceInterval = new(0, 0.8) }, Better),
        new("--fast", request => FastMode.Apply(request).Request, Better),
        new("--fast", request => FastMode.Apply(request).Request, Exact),
    ];

    private static GenerationRequest Fewer(GenerationRequest request) => request with { Scheduler = "dpmpp-2m", Steps = 12 };

    /// <summary>Measures some clips and prints the table as Markdown; what each clip came to goes to the error stream as it is made.</summary>
    public static async Task RunAsync(string model, string motion, int frames, int clips)
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(new PipelineOptions { Base = model, Motion = motion });
        var requests = Enumerable.Range(0, clips).Select(clip => new GenerationRequest(Prompts[clip % Prompts.Length]) { Seed = (ulong)clip, Frames = frames, GuidanceScale = Guidance });
        await MakeAsync(pipeline, new GenerationRequest(Prompts[0]) { Frames = frames, Steps = 2 });         // not measured: the first is slower
        var (seconds, errors) = (Modes.Select(_ => 0.0).ToArray(), Modes.Select(_ => new List<double>()).ToArray());
        foreach (var request in requests)
        {
            var made = new Dictionary<string, VideoFrames>();
            foreach (var (i, mode) in Modes.Index())
            {
                if (!made.TryGetValue(mode.Flags, out var frameBytes))
                {
                    var before = Environment.CpuUsage.TotalTime;
                    made.Add(mode.Flags, frameBytes = await MakeAsync(pipeline, mode.Set(request)));
                    seconds[i] += (Environment.CpuUsage.TotalTime - before).TotalSeconds;
                }
                else
                    seconds[i] = seconds[i - 1];
                if (mode.ComparedWith is { } exact)
                    errors[i].Add(Psnr(frameBytes.Pixels, made[exact].Pixels));
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{request.Seed} {mode.Flags}: {(errors[i].Count > 0 ? errors[i][^1] : double.NaN):0.0} dB, {seconds[i]:0.0} s so far"));
            }
        }

        Console.WriteLine("| settings | compared with | PSNR in dB, mean ± deviation | lowest | processor time |\n|---|---|---|---|---|");
        foreach (var (i, mode) in Modes.Index())
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {Code(mode.Flags)} | {(mode.ComparedWith is { } exact ? $"{Code(exact)} | {Spread(errors[i])} | {errors[i].Min():0.0}" : " | the same |")} | {100 * seconds[i] / seconds[0]:0} % |"));
    }

    private static async Task<VideoFrames> MakeAsync(AnimateDiffPipeline pipeline, GenerationRequest request) => (await pipeline.GenerateAsync(request)).Videos[0];

    private static string Code(string flags) => flags.Length == 0 ? "the defaults" : $"`{flags}`";

    private static string Spread(List<double> values)
    {
        var mean = values.Average();
        var deviation = Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / Math.Max(1, values.Count - 1));
        return string.Create(CultureInfo.InvariantCulture, $"{mean:0.0} ± {deviation:0.0}");
    }

    /// <summary>Peak signal to noise of a whole clip in dB; equal clips are infinitely far above it.</summary>
    private static double Psnr(ReadOnlyMemory<byte> made, ReadOnlyMemory<byte> exact)
    {
        var sum = 0.0;
        for (var i = 0; i < made.Length; i++)
            sum += Math.Pow(made.Span[i] - exact.Span[i], 2);
        return 10 * Math.Log10(255.0 * 255 * made.Length / sum);
    }
}
