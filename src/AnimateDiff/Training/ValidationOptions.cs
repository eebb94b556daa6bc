using AnimateDiff.Configs;
using AnimateDiff.Training.Dataset;

namespace AnimateDiff.Training;

/// <summary>What is looked at while a run goes on.</summary>
internal sealed record ValidationOptions
{
    /// <summary>Steps between two looks.</summary>
    public int Every { get; init; } = 500;

    /// <summary>Held-out data for the loss at fixed noise, or null for none.</summary>
    public DatasetOptions? Data { get; init; }

    /// <summary>How many of its samples are used.</summary>
    public int Samples { get; init; } = 8;

    /// <summary>Equal parts of the timesteps, each with a loss of its own.</summary>
    public int Buckets { get; init; } = 5;

    /// <summary>Prompts that are generated and written to <c>validation/</c>.</summary>
    public IReadOnlyList<string> Prompts { get; init; } = [];

    /// <summary>Denoising steps of these.</summary>
    public int Steps { get; init; } = 25;

    /// <summary>Their guidance scale.</summary>
    public double GuidanceScale { get; init; } = 8;

    /// <summary>Seed of their noise.</summary>
    public ulong Seed { get; init; } = 42;

    public static ValidationOptions Read(YamlSection section, bool single)
    {
        var standard = new ValidationOptions();
        var options = new ValidationOptions
        {
            Every = section.Count("every") ?? standard.Every,
            Data = section.Section("data") is { } data ? TrainingRecipe.ReadData(data, single) : null,
            Samples = section.Count("samples") ?? standard.Samples,
            Buckets = section.Count("buckets") ?? standard.Buckets,
            Prompts = section.Texts("prompts") ?? [],
            Steps = section.Count("steps") ?? standard.Steps,
            GuidanceScale = section.Positive("guidance_scale") ?? standard.GuidanceScale,
            Seed = (ulong)(section.Count("seed", least: 0) ?? (int)standard.Seed),
        };
        section.Close();
        return options;
    }
}
