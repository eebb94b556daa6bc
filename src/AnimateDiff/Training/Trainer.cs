namespace AnimateDiff.Training;

/// <summary>What to train.</summary>
/// <param name="Recipe">Path of the recipe, a YAML file.</param>
public sealed record TrainingRequest(string Recipe)
{
    /// <summary>Settings that differ from the recipe's, each as <c>key=value</c>.</summary>
    public IReadOnlyList<string> Overrides { get; init; } = [];

    /// <summary>Folder of the run; the recipe's when null.</summary>
    public string? Output { get; init; }

    /// <summary>Folder of a run to go on with; null for a new one.</summary>
    public string? Resume { get; init; }

    /// <summary>CPU threads; all cores when null.</summary>
    public int? Threads { get; init; }
}

/// <summary>What a training made.</summary>
/// <param name="Folder">Folder of the run.</param>
/// <param name="Files">The trained weights.</param>
/// <param name="Steps">Optimizer steps done.</param>
/// <param name="FinalLoss">Smoothed loss at the end.</param>
public sealed record TrainingResult(string Folder, IReadOnlyList<string> Files, long Steps, double FinalLoss);

/// <summary>Runs a recipe.</summary>
public static class Trainer
{
    /// <summary>Trains until the recipe's last step.</summary>
    public static Task<TrainingResult> RunAsync(TrainingRequest request, IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
        => throw new NotImplementedException();
}
