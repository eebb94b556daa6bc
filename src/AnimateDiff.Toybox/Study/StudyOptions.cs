namespace AnimateDiff.Toybox.Study;

/// <summary>What is measured, and how.</summary>
internal sealed record StudyOptions
{
    /// <summary>All sections, by their letters.</summary>
    public const string AllParts = "abcdef";

    /// <summary>Clips made together. What noise a clip gets depends on its place among them, so the number is part of what a measurement is.</summary>
    public const int Batch = 8;

    /// <summary>Clips for each strength of the adapter, and for each camera movement, where <see cref="Samples"/> is not less.</summary>
    public const int Few = 24, FewStill = 48;

    /// <summary>The trained models: <c>base/</c>, <c>neon/</c>, <c>motion/</c>, <c>domain-adapter.safetensors</c>, <c>motion-lora/</c>, <c>training/</c>.</summary>
    public required string Models { get; init; }

    /// <summary>Runs of models that are only studied: <c>conv1d-finish/</c>, <c>motion-plain/</c>, <c>motion-start/</c>, <c>motion-finish/</c>, <c>zoom-in-20/</c>, <c>zoom-in-5/</c>, <c>controlnet/</c>, <c>sparsectrl/</c>; null where there are none.</summary>
    public string? Runs { get; init; }

    /// <summary>Folder of <c>toybox-study.md</c> and of <c>toybox-study/</c> with its pictures and measurements.</summary>
    public required string Output { get; init; }

    /// <summary>Clips of each system for directions; made up to whole batches.</summary>
    public int Samples { get; init; } = 200;

    /// <summary>Denoising steps.</summary>
    public int Steps { get; init; } = 20;

    /// <summary>Guidance scale.</summary>
    public double Guidance { get; init; } = 4;

    /// <summary>Of the scenes, and of the noise together with their numbers.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Sections to measure; the others are made of what was measured before.</summary>
    public string Parts { get; init; } = AllParts;

    /// <summary><c>cpu</c> or <c>cuda</c>.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>CPU threads; null: all cores.</summary>
    public int? Threads { get; init; }

    /// <summary>Everything that a generated clip depends on beside its model, prompt and seed.</summary>
    public string Settings => FormattableString.Invariant($"DDIM, {Steps} steps, guidance {Guidance}, official semantics, batches of {Batch}");

    /// <summary>Clips of a set for each system, in whole batches.</summary>
    public int CountOf(SampleSet set) => (Math.Min(Samples, set switch { SampleSet.Any => Few, SampleSet.Still => FewStill, _ => Samples }) + Batch - 1) / Batch * Batch;

    /// <exception cref="RequestException">A setting is out of its range.</exception>
    public void Validate()
    {
        if (Samples < 1)
            throw new RequestException($"{Samples} samples: expected 1 or more, 200 for the study's own precision.");
        if (Parts.FirstOrDefault(part => !AllParts.Contains(part)) is var unknown and not '\0')
            throw new RequestException($"The study has no part '{unknown}': expected some of a, b, c, d, e, f.");
        if (Runs is not null && !Directory.Exists(Runs))
            throw new FileException(Runs, $"{Runs}, given as the folder of training runs, does not exist.");
        new GenerationRequest("") { Steps = Steps, GuidanceScale = Guidance }.Validate();
    }
}

/// <summary>How far the study is.</summary>
/// <param name="Title">What is being measured.</param>
/// <param name="Done">Clips done.</param>
/// <param name="Total">Clips in all.</param>
internal readonly record struct StudyProgress(string Title, int Done, int Total);
