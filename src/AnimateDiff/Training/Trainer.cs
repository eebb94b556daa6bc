using AnimateDiff.Video;

namespace AnimateDiff.Training;

/// <summary>What to train.</summary>
/// <param name="Recipe">Path of the recipe, a YAML file; not read where a run is resumed, which has its own.</param>
public sealed record TrainingRequest(string Recipe)
{
    /// <summary>Settings that differ from the recipe's, each as <c>key=value</c>.</summary>
    public IReadOnlyList<string> Overrides { get; init; } = [];

    /// <summary>Folder of the run; <c>runs/</c> and the recipe's name when null.</summary>
    public string? Output { get; init; }

    /// <summary>Folder of a run to go on with; null for a new one.</summary>
    public string? Resume { get; init; }

    /// <summary>CPU threads; all cores when null.</summary>
    public int? Threads { get; init; }

    /// <summary>
    /// Turns a name in the recipe into a path, such as one on a hub that has to be pulled: given the recipe's key (<c>base</c>, <c>vae</c>, <c>tokenizer</c>, <c>motion</c>,
    /// <c>control</c> or <c>domain_adapter</c>) and the name. Null: names are paths.
    /// </summary>
    public Func<string, string, CancellationToken, Task<string>>? Locate { get; init; }
}

/// <summary>What a training made.</summary>
/// <param name="Folder">Folder of the run.</param>
/// <param name="Files">The trained weights.</param>
/// <param name="Steps">Optimizer steps done.</param>
/// <param name="FinalLoss">Smoothed loss at the end.</param>
public sealed record TrainingResult(string Folder, IReadOnlyList<string> Files, long Steps, double FinalLoss);

/// <summary>Runs recipes.</summary>
public static class Trainer
{
    /// <summary>Name of the copy of the recipe in a run's folder, with every override in it.</summary>
    internal const string RecipeName = "recipe.yaml";

    /// <summary>Trains until the recipe's last step. A run that was stopped, in whatever way, goes on with <see cref="TrainingRequest.Resume"/> as if it had not been.</summary>
    /// <param name="request">What to train.</param>
    /// <param name="progress">Told of every step and of what happens, on the run's thread.</param>
    /// <param name="cancellationToken">Stops after the step in progress and writes a checkpoint.</param>
    /// <exception cref="RequestException">The recipe or an override is wrong, or the run's folder holds another run.</exception>
    /// <exception cref="FileException">A file is missing, damaged or not what it was given as, or nothing can be written.</exception>
    /// <exception cref="AnimateDiffException">The loss is not a number or runs away; names the step and the last good checkpoint.</exception>
    public static async Task<TrainingResult> RunAsync(TrainingRequest request, IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var path = request.Resume is { } resumed ? Path.Combine(resumed, RecipeName) : request.Recipe;
        if (request.Resume is not null && !File.Exists(path))
            throw new FileException(path, $"{request.Resume} is no run that can be gone on with: it has no {RecipeName}; name the folder that the run wrote to.");
        var text = RecipeText.Load(path, request.Overrides);
        var recipe = await LocateAsync(TrainingRecipe.Read(text), request.Locate, cancellationToken);
        var folder = request.Resume ?? request.Output ?? Path.Combine("runs", Path.GetFileNameWithoutExtension(request.Recipe));
        if (request.Resume is null && Directory.Exists(Path.Combine(folder, "checkpoints")))
            throw new RequestException($"{folder} holds a run already: go on with it by --resume {folder}, name another folder with --out, or remove it.");
        OutputFile.CheckWritable(Path.Combine(folder, RecipeName));
        PipelineOptions.RequireDevice(recipe.Device);
        if (request.Threads is { } threads)
            set_num_threads(threads);
        NativeHeap.KeepMemory();
        using var worker = new TorchWorker();
        return await worker.RunAsync(() =>
        {
            TrainingResult result = null!;
            OutputFile.TranslateAsync(folder, () =>                                     // a full disk, wherever it is noticed
            {
                using var run = TrainingRun.Open(recipe, text, folder, request.Resume is not null, progress, cancellationToken);
                result = run.Train(cancellationToken);
                return Task.CompletedTask;
            }).GetAwaiter().GetResult();
            return result;
        }, CancellationToken.None);
    }

    private static async Task<TrainingRecipe> LocateAsync(TrainingRecipe recipe, Func<string, string, CancellationToken, Task<string>>? locate, CancellationToken cancellationToken)
    {
        async Task<string?> Path(string key, string? name) => name is null || locate is null ? name : await locate(key, name, cancellationToken);
        var adapter = recipe.DomainAdapter is { } text ? Adapter.Parse(AdapterRole.DomainAdapter, text) : null;
        return recipe with
        {
            Base = (await Path("base", recipe.Base))!,
            Vae = await Path("vae", recipe.Vae),
            Tokenizer = await Path("tokenizer", recipe.Tokenizer),
            Motion = await Path("motion", recipe.Motion),
            Control = await Path("control", recipe.Control),
            DomainAdapter = adapter is null ? null : FormattableString.Invariant($"{await Path("domain_adapter", adapter.Path)}:{adapter.Scale}"),
        };
    }
}
