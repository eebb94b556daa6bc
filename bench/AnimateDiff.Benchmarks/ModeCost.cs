using System.Globalization;
using System.Text.Json;
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
        .. new[] { "2", "3", "5", "2:1", "3:1" }.Select(cache => new Mode($"--deep-cache {cache}", request => request with { DeepCache = DeepCache.Parse(cache) }, Exact)),
        .. new[] { "0-0.8", "0-0.6", "0.2-1" }.Select(steps => new Mode($"--guidance-interval {steps}", request => request with { GuidanceInterval = GuidanceInterval.Parse(steps) }, Exact)),
        new(Better, request => Fewer(request, 12), Exact),
        new("--scheduler dpmpp-2m --steps 8", request => Fewer(request, 8), Exact),
        new($"{Better} --deep-cache 2", request => Fewer(request, 12) with { DeepCache = new(2) }, Better),
        new("--fast", request => FastMode.Apply(request).Request, Better),
        new("--fast", request => FastMode.Apply(request).Request, Exact),
    ];

    // A clip with every mode: seconds of the processor, and PSNR where it is compared with another.
    private sealed record Measured(int Clip, double[] Seconds, double?[] Psnr);

    private static GenerationRequest Fewer(GenerationRequest request, int steps) => request with { Scheduler = "dpmpp-2m", Steps = steps };

    /// <summary>Measures some clips and prints the table as Markdown. A line for each clip is added to a file, and those that are there are not measured again.</summary>
    public static async Task RunAsync(string model, string motion, int frames, int clips, string file)
    {
        var done = File.Exists(file) ? File.ReadLines(file).Select(line => JsonSerializer.Deserialize<Measured>(line)!).ToList() : [];
        var missing = Enumerable.Range(0, clips).Except(done.Select(clip => clip.Clip)).ToList();
        if (missing.Count > 0)
        {
            using var pipeline = await AnimateDiffPipeline.LoadAsync(new PipelineOptions { Base = model, Motion = motion });
            GenerationRequest Request(int clip) => new(Prompts[clip % Prompts.Length]) { Seed = (ulong)clip, Frames = frames, GuidanceScale = Guidance };
            await MakeAsync(pipeline, Request(0) with { Steps = 2 });                                        // not measured: the first is slower
            foreach (var clip in missing)
            {
                done.Add(await MeasureAsync(pipeline, clip, Request(clip)));
                File.AppendAllText(file, JsonSerializer.Serialize(done[^1]) + "\n");
            }
        }
        Print(done);
    }

    private static async Task<Measured> MeasureAsync(AnimateDiffPipeline pipeline, int clip, GenerationRequest request)
    {
        var made = new Dictionary<string, (VideoFrames Frames, double Seconds)>();
        var measured = new Measured(clip, new double[Modes.Length], new double?[Modes.Length]);
        foreach (var (i, mode) in Modes.Index())
        {
            if (!made.ContainsKey(mode.Flags))
            {
                var before = Environment.CpuUsage.TotalTime;
                var frames = await MakeAsync(pipeline, mode.Set(request));
                made.Add(mode.Flags, (frames, (Environment.CpuUsage.TotalTime - before).TotalSeconds));
            }
            measured.Seconds[i] = made[mode.Flags].Seconds;
            if (mode.ComparedWith is { } exact)
                measured.Psnr[i] = Psnr(made[mode.Flags].Frames.Pixels, made[exact].Frames.Pixels);
        }
        return measured;
    }

    private static void Print(List<Measured> clips)
    {
        Console.WriteLine("| settings | compared with | PSNR in dB: mean ± deviation | lowest | processor time |\n|---|---|---|---|---|");
        foreach (var (i, mode) in Modes.Index())
        {
            double[] errors = [.. clips.Select(clip => clip.Psnr[i]).OfType<double>()];
            var compared = mode.ComparedWith is { } exact ? $"{Code(exact)} | {Spread(errors)} | {Number(errors.Min())}" : "| |";
            Console.WriteLine($"| {Code(mode.Flags)} | {compared} | {100 * clips.Sum(clip => clip.Seconds[i]) / clips.Sum(clip => clip.Seconds[0]):0} % |");
        }
    }

    private static async Task<VideoFrames> MakeAsync(AnimateDiffPipeline pipeline, GenerationRequest request) => (await pipeline.GenerateAsync(request)).Videos[0];

    private static string Code(string flags) => flags.Length == 0 ? "the defaults" : $"`{flags}`";

    private static string Number(double value) => value.ToString("0.0", CultureInfo.InvariantCulture);

    private static string Spread(double[] values)
    {
        var mean = values.Average();
        return $"{Number(mean)} ± {Number(Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / Math.Max(1, values.Length - 1)))}";
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
