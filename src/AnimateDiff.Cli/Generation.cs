using AnimateDiff.Hub;
using AnimateDiff.Video;

namespace AnimateDiff.Cli;

/// <summary>What every generating command does: load once, then generate and write one animation after the other.</summary>
internal static class Generation
{
    public static async Task RunAsync(PipelineOptions options, IReadOnlyList<GenerationRequest> requests, double fps, string output, CancellationToken cancellationToken, Recipe? expected = null)
    {
        VideoWriter.Check(output);                                          // before minutes of work, not after
        foreach (var request in requests)
            request.Validate();
        var local = await HubFiles.ResolveAsync(options, cancellationToken);
        using var pipeline = await ProgressDisplay.RunAsync<AnimateDiffPipeline>(progress => AnimateDiffPipeline.LoadAsync(local, progress, cancellationToken));
        foreach (var note in pipeline.Notes)
            Console.Error.WriteLine(note);
        for (var index = 0; index < requests.Count; index++)
        {
            var request = await HubFiles.ResolveAsync(requests[index], cancellationToken);
            if (expected is not null && !options.Force)
                expected.CheckFiles(await pipeline.DescribeAsync(request));
            Console.Error.WriteLine($"\"{request.Prompts[0]}\", seed {request.Seed}");
            var generation = await ProgressDisplay.RunAsync<Generated>(progress => pipeline.GenerateAsync(request, progress, cancellationToken));
            foreach (var warning in generation.Warnings)
                Console.Error.WriteLine($"warning: {warning}");
            var path = Numbered(output, index, requests.Count);
            await VideoWriter.WriteAsync(path, generation.Videos[0], fps, (AsGiven(generation.Recipe, options, requests[index]) with { Fps = fps }).ToJson(), cancellationToken: cancellationToken);
            Console.WriteLine(path);
        }
    }

    /// <summary>The recipe with hub names instead of the paths in this machine's cache, so that it can be made again elsewhere.</summary>
    private static Recipe AsGiven(Recipe recipe, PipelineOptions options, GenerationRequest request) => recipe with
    {
        Base = options.Base,
        Motion = options.Motion,
        Vae = options.Vae,
        Tokenizer = options.Tokenizer,
        Embeddings = options.Embeddings,
        Adapters = [.. recipe.Adapters.Zip(request.Adapters, (recorded, given) => recorded with { Path = given.Path })],
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
