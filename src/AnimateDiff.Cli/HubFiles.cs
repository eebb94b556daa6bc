using AnimateDiff.Hub;

namespace AnimateDiff.Cli;

/// <summary>Turns names among a command's arguments into paths: parts of the embedded model, and hub names, pulling what is not in the cache.</summary>
internal static class HubFiles
{
    public static async Task<PipelineOptions> ResolveAsync(PipelineOptions options, CancellationToken cancellationToken) => options with
    {
        Base = await ResolveAsync(options.Base, cancellationToken, ModelPart.Base),
        Motion = options.Motion is null ? null : await ResolveAsync(options.Motion, cancellationToken, ModelPart.Motion),
        Vae = options.Vae is null ? null : await ResolveAsync(options.Vae, cancellationToken),
        Tokenizer = options.Tokenizer is null ? null : await ResolveAsync(options.Tokenizer, cancellationToken),
        Embeddings = await Task.WhenAll(options.Embeddings.Select(embedding => ResolveAsync(embedding, cancellationToken))),
    };

    public static async Task<GenerationRequest> ResolveAsync(GenerationRequest request, CancellationToken cancellationToken) => request with
    {
        Adapters = await Task.WhenAll(request.Adapters.Select(async adapter => adapter with
        {
            Path = await ResolveAsync(adapter.Path, cancellationToken, adapter.Role == AdapterRole.DomainAdapter ? ModelPart.DomainAdapter : ModelPart.Other),
        })),
        Controls = await Task.WhenAll(request.Controls.Select(async control => control with { Path = await ResolveAsync(control.Path, cancellationToken) })),
        Sparse = request.Sparse is null ? null : request.Sparse with { Path = await ResolveAsync(request.Sparse.Path, cancellationToken) },
        Finish = await Task.WhenAll(request.Finish.Select(async step => step.UpscaleModel is null ? step : step with { UpscaleModel = await ResolveAsync(step.UpscaleModel, cancellationToken) })),
        ImagePrompts = await Task.WhenAll(request.ImagePrompts.Select(async prompt => prompt with
        {
            IPAdapter = await ResolveAsync(prompt.IPAdapter, cancellationToken),
            Encoder = prompt.Encoder is null ? null : await ResolveAsync(prompt.Encoder, cancellationToken),
        })),
    };

    /// <summary>A part of the embedded model by its name; an existing path as it is; a hub name from the cache, or pulled with progress.</summary>
    public static async Task<string> ResolveAsync(string pathOrName, CancellationToken cancellationToken, ModelPart part = ModelPart.Other)
    {
        if (EmbeddedToybox.IsName(pathOrName))
            return EmbeddedToybox.Resolve(pathOrName, part);
        if (Path.Exists(pathOrName) || !HubReference.IsHubName(pathOrName, out var reference))
            return pathOrName;                                              // what does not exist is for the loader to say
        using var client = new HubClient();
        return client.Cached(reference) ?? await PullAsync(client, await client.PlanAsync(reference, cancellationToken), cancellationToken);
    }

    public static async Task<string> PullAsync(HubClient client, HubPlan plan, CancellationToken cancellationToken)
    {
        Console.Error.WriteLine($"{plan.Reference}: {plan.Files.Count} files, {Megabytes(plan.BytesTotal)}, {Megabytes(plan.BytesTotal - plan.BytesCached)} to fetch");
        var clock = System.Diagnostics.Stopwatch.StartNew();
        return await ProgressDisplay.RunAsync<string>(progress => client.PullAsync(plan, new ProgressDisplay.Relay<HubProgress>(step => progress.Report(new(
            "Pulling", step.BytesDone, step.BytesTotal,
            $"{step.FilesDone}/{step.FilesTotal} files, {Megabytes(step.BytesDone)} of {Megabytes(step.BytesTotal)}, {Megabytes((long)((step.BytesDone - plan.BytesCached) / Math.Max(clock.Elapsed.TotalSeconds, 1e-3)))}/s"))),
            cancellationToken));
    }

    private static string Megabytes(long bytes) => bytes < 1_000_000_000 ? $"{bytes / 1e6:0.0} MB" : $"{bytes / 1e9:0.00} GB";
}
