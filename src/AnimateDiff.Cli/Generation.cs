using AnimateDiff.Hub;
using AnimateDiff.Profiling;
using AnimateDiff.Video;

namespace AnimateDiff.Cli;

/// <summary>What every generating command does: load once, then generate and write one animation after the other.</summary>
internal static class Generation
{
    private const int LongestName = 60;

    /// <summary>Says what each request would take, and makes none.</summary>
    public static async Task EstimateAsync(PipelineOptions options, IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken)
    {
        var local = await HubFiles.ResolveAsync(options, cancellationToken);
        foreach (var request in requests)
            Console.WriteLine((await AnimateDiffPipeline.EstimateAsync(local, await HubFiles.ResolveAsync(request, cancellationToken), cancellationToken)).Sentence);
    }

    /// <summary>
    /// Loads the models, and generates and writes each request; without <paramref name="output"/> to a GIF named after its prompt. With <paramref name="profiles"/> prints
    /// where the time of each went.
    /// </summary>
    public static async Task RunAsync(PipelineOptions options, IReadOnlyList<GenerationRequest> requests, double fps, string? output, CancellationToken cancellationToken, Recipe? expected = null, bool profiles = false)
    {
        if (profiles && options.Device != "cpu")
            throw new RequestException($"--profile measures on the CPU, where a layer has computed when its call returns; on {options.Device} use the vendor's profiler.");
        foreach (var request in requests)                                   // before minutes of work, not after
        {
            request.Validate();
            VideoWriter.Check(output ?? NameOf(request.Prompts[0]), fps * Finish.Speed(request.Finish));
        }
        var local = await HubFiles.ResolveAsync(options, cancellationToken);
        await AnimateDiffPipeline.CheckMemoryAsync(local, await HubFiles.ResolveAsync(requests[0], cancellationToken), cancellationToken);
        using var pipeline = await ProgressDisplay.RunAsync<AnimateDiffPipeline>(progress => AnimateDiffPipeline.LoadAsync(local, progress, cancellationToken));
        foreach (var note in pipeline.Notes)
            Console.Error.WriteLine(note);
        for (var index = 0; index < requests.Count; index++)
        {
            var request = await HubFiles.ResolveAsync(requests[index], cancellationToken);
            if (request.WorkFolder is { } work && requests.Count > 1)
                request = request with { WorkFolder = Numbered(Path.TrimEndingDirectorySeparator(work) + "/", index, requests.Count) };
            if (expected is not null && !options.Force)
                expected.CheckFiles(await pipeline.DescribeAsync(request));
            Console.Error.WriteLine($"\"{request.Prompts[0]}\", seed {request.Seed}");
            using var profile = profiles ? pipeline.Measure() : null;
            var path = output is null ? NameOf(request.Prompts[0]) : Numbered(output, index, requests.Count);
            var given = requests[index];
            var generation = await ProgressDisplay.RunAsync<GeneratedFile>(progress =>
                pipeline.GenerateFileAsync(request, path, fps, recipe => AsGiven(recipe, options, given), progress, cancellationToken));
            foreach (var warning in generation.Warnings)
                Console.Error.WriteLine($"warning: {warning}");
            if (profile is not null)
                Console.Error.Write(ProfileTable.Of(profile));
            if (request.WorkFolder is { } done)
                AnimateDiffPipeline.DeleteWork(done);
            Console.WriteLine(path);
        }
    }

    /// <summary>A prompt as the name of a GIF that does not exist yet: <c>a-red-ball.gif</c>, then <c>a-red-ball-2.gif</c>.</summary>
    internal static string NameOf(string prompt)
    {
        var words = string.Concat(prompt.ToLowerInvariant().Select(letter => char.IsLetterOrDigit(letter) ? letter : ' ')).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var name = string.Join('-', words);
        if (name.Length > LongestName)
            name = name[..(name.LastIndexOf('-', LongestName) is > 0 and var end ? end : LongestName)];
        if (name.Length == 0)
            name = "animation";
        var path = $"{name}.gif";
        for (var number = 2; Path.Exists(path); number++)
            path = $"{name}-{number}.gif";
        return path;
    }

    /// <summary>The recipe with names of the hub and of the embedded model instead of this machine's paths, so that it can be made again elsewhere.</summary>
    internal static Recipe AsGiven(Recipe recipe, PipelineOptions options, GenerationRequest request) => recipe with
    {
        Base = options.Base,
        Motion = options.Motion,
        Vae = options.Vae,
        Tokenizer = options.Tokenizer,
        Embeddings = options.Embeddings,
        Adapters = [.. recipe.Adapters.Zip(request.Adapters, (recorded, given) => recorded with { Path = given.Path })],
        Controls = recipe.Controls is null ? null : request.Controls,
        Sparse = request.Sparse,
        ImagePrompts = recipe.ImagePrompts is null ? null : request.ImagePrompts,
        Finish = recipe.Finish is null ? null : request.Finish,
    };

    /// <summary>The output as given, or for one of several <c>name-01.gif</c>, <c>DIR/01/</c>.</summary>
    internal static string Numbered(string output, int index, int count)
    {
        if (count == 1)
            return output;
        var number = (index + 1).ToString(new string('0', Math.Max(2, count.ToString().Length)));
        return output.EndsWith('/') || Directory.Exists(output)
            ? Path.Combine(output, number) + "/"
            : Path.Combine(Path.GetDirectoryName(output) ?? "", $"{Path.GetFileNameWithoutExtension(output)}-{number}{Path.GetExtension(output)}");
    }
}
