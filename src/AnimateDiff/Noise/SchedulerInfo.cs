namespace AnimateDiff.Noise;

/// <summary>A sampler that can be asked for by name.</summary>
public sealed class SchedulerInfo
{
    internal static readonly string[] Beta = ["num_train_timesteps", "beta_schedule", "beta_start", "beta_end", "prediction_type"];
    internal static readonly string[] Spacing = ["timestep_spacing", "steps_offset"];
    internal static readonly string[] Threshold = ["thresholding", "dynamic_thresholding_ratio", "sample_max_value"];
    internal static readonly string[] Clip = ["clip_sample", "clip_sample_range"];
    internal static readonly string[] Respacing = ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"];

    internal SchedulerInfo(string name, string summary, string diffusersClass, Func<SchedulerSetup, Scheduler> build)
        => (Name, Summary, DiffusersClass, Build) = (name, summary, diffusersClass, build);

    /// <summary>Its name on the command line.</summary>
    public string Name { get; }

    /// <summary>One line on what it is good for.</summary>
    public string Summary { get; }

    /// <summary>Its class in diffusers, as <c>_class_name</c> of a scheduler_config.json has it.</summary>
    public string DiffusersClass { get; }

    /// <summary>The options it has and their defaults, as <c>--scheduler-option</c> takes them.</summary>
    public IReadOnlyDictionary<string, string> Defaults => SchedulerSettings.List(this, Options);

    internal Func<SchedulerSetup, Scheduler> Build { get; }

    /// <summary>Names of the options it has.</summary>
    internal IReadOnlyList<string> Accepts { get; init; } = [];

    /// <summary>Options of which it takes only some values.</summary>
    internal IReadOnlyDictionary<string, string[]> Only { get; init; } = new Dictionary<string, string[]>();

    /// <summary>What the command line starts from.</summary>
    internal SchedulerOptions Options { get; init; } = new();

    /// <summary>Options whose default in diffusers' class is another: what a scheduler_config.json leaves out has these values.</summary>
    internal Func<SchedulerOptions, SchedulerOptions> AsInDiffusers { get; init; } = options => options with { BetaStart = 0.0001, BetaEnd = 0.02 };

    /// <summary>What its name stands for beyond the class, such as <c>-karras</c>; holds over a scheduler_config.json.</summary>
    internal Func<SchedulerOptions, SchedulerOptions> Preset { get; init; } = options => options;
}

/// <summary>What a sampler is built from.</summary>
internal sealed record SchedulerSetup(SchedulerInfo Info, SchedulerOptions Options, int Steps)
{
    public BetaSchedule Betas { get; } =
        new(Options.BetaSchedule, Options.BetaStart, Options.BetaEnd, Options.NumTrainTimesteps, Options.RescaleBetasZeroSnr);
}
