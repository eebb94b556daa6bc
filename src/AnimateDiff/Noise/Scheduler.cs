namespace AnimateDiff.Noise;

/// <summary>
/// A sampler with its step plan: tables that never change, made from the options and the number of steps. One scheduler serves any number of
/// generations; what a multistep sampler remembers lives in the <see cref="SchedulerRun"/> of each. Numbers equal those of diffusers' class.
/// </summary>
public abstract class Scheduler
{
    private readonly SchedulerSetup _setup;
    private readonly double[] _timesteps;

    private protected Scheduler(SchedulerSetup setup, double[] timesteps, double[]? sigmas = null)
        => (_setup, _timesteps, Sigmas) = (setup, timesteps, sigmas ?? []);

    /// <summary>The samplers <see cref="Create"/> knows, in the order they are listed to the user.</summary>
    public static IReadOnlyList<SchedulerInfo> All => SchedulerCatalog.All;

    /// <summary>The sampler's name, summary and option defaults.</summary>
    public SchedulerInfo Info => _setup.Info;

    /// <summary>The options in effect.</summary>
    public SchedulerOptions Options => _setup.Options;

    /// <summary>The options in effect as text; <see cref="Create"/> with these gives the same sampler again.</summary>
    public IReadOnlyDictionary<string, string> Settings => SchedulerSettings.List(Info, Options);

    /// <summary>Number of steps asked for.</summary>
    public int Steps => _setup.Steps;

    /// <summary>The noise schedule of the training timesteps.</summary>
    public BetaSchedule Betas => _setup.Betas;

    /// <summary>Timestep of every model evaluation, first to last. Heun, KDPM2 and PNDM have more of them than steps.</summary>
    public IReadOnlyList<double> Timesteps => _timesteps;

    /// <summary>Noise levels σ in diffusers' layout, the last being where the run ends; empty for the samplers that work on ᾱ.</summary>
    public IReadOnlyList<double> Sigmas { get; }

    /// <summary>Standard deviation of the noise a run starts from.</summary>
    public virtual double InitNoiseSigma => 1;

    /// <summary>Whether steps draw noise, so that <see cref="SchedulerRun.Step"/> needs a generator.</summary>
    public virtual bool IsStochastic => false;

    /// <summary>Number of times a whole run evaluates the model.</summary>
    public int ModelEvaluations => _timesteps.Length;

    /// <summary>Builds a sampler by name.</summary>
    /// <param name="name">One of <see cref="All"/>'s names.</param>
    /// <param name="options">diffusers' configuration names and values that differ from <see cref="SchedulerInfo.Defaults"/>; null for none.</param>
    /// <param name="steps">Number of steps, from 1 to the number of training timesteps.</param>
    /// <exception cref="RequestException">Unknown name or option, a wrong value, a number of steps or a combination that cannot be run.</exception>
    public static Scheduler Create(string name, IReadOnlyDictionary<string, string>? options, int steps)
    {
        var info = SchedulerCatalog.Find(name);
        return Build(info, info.Options, options, steps);
    }

    /// <summary>Builds the sampler a diffusers scheduler_config.json describes.</summary>
    /// <param name="path">The file. Keys its class does not use are skipped, keys it leaves out have diffusers' class defaults.</param>
    /// <param name="steps">Number of steps, from 1 to the number of training timesteps.</param>
    /// <param name="name">Another sampler to build from that configuration, as diffusers' <c>from_config</c> does; null for the file's own.</param>
    /// <param name="options">Options set on top; null for none.</param>
    /// <exception cref="FileException">The file is missing, is no JSON, or asks for something that is not supported.</exception>
    /// <exception cref="RequestException">As <see cref="Create"/>.</exception>
    public static Scheduler FromConfig(string path, int steps, string? name = null, IReadOnlyDictionary<string, string>? options = null)
    {
        if (!File.Exists(path))
            throw new FileException(path, $"{path} does not exist; a model in the diffusers layout has its sampler's settings there.");
        var asked = name is null ? null : SchedulerCatalog.Find(name);
        SchedulerInfo info;
        SchedulerOptions configured;
        try
        {
            (info, configured) = SchedulerConfig.Read(File.ReadAllText(path), asked);
        }
        catch (RequestException error)
        {
            throw new FileException(path, $"{path} cannot be used: {error.Message}", error);
        }
        return Build(info, configured, options, steps);
    }

    internal static Scheduler FromConfigJson(string json, int steps, string? name = null, IReadOnlyDictionary<string, string>? options = null)
    {
        var (info, configured) = SchedulerConfig.Read(json, name is null ? null : SchedulerCatalog.Find(name));
        return Build(info, configured, options, steps);
    }

    /// <summary>What the model is given: the sample, scaled where the sampler keeps the signal at unit scale.</summary>
    /// <param name="sample">Latents of any shape.</param>
    /// <param name="index">Which of <see cref="Timesteps"/> is evaluated.</param>
    /// <returns>A fresh tensor.</returns>
    public virtual Tensor ScaleModelInput(Tensor sample, int index) => sample.alias();

    /// <summary>The timestep of an evaluation, once per batch entry.</summary>
    /// <param name="index">Which of <see cref="Timesteps"/>.</param>
    /// <param name="batch">Number of batch entries.</param>
    /// <param name="device">Where it goes, the CPU by default.</param>
    /// <returns>Single precision <c>[batch]</c>.</returns>
    public Tensor TimestepTensor(int index, long batch, Device? device = null)
        => tensor(Enumerable.Repeat((float)_timesteps[index], (int)batch).ToArray(), device: device ?? CPU);

    /// <summary>Clean latents brought to the noise levels of timesteps, as this sampler scales them.</summary>
    /// <param name="original">Clean latents, <c>[B, …]</c>.</param>
    /// <param name="noise">Unit noise of the same shape.</param>
    /// <param name="timesteps">One per batch entry, of <see cref="Timesteps"/>; without <see cref="Sigmas"/> any training timestep.</param>
    /// <returns>Noisy latents of the shape and type of <paramref name="original"/>.</returns>
    public Tensor AddNoise(Tensor original, Tensor noise, IReadOnlyList<double> timesteps)
    {
        if (timesteps.Count != original.shape[0])
            throw new ArgumentException($"{timesteps.Count} timesteps for a batch of {original.shape[0]}; expected one each.", nameof(timesteps));
        using var scope = NewDisposeScope();
        var levels = timesteps.Select(LevelOf).ToArray();
        var shape = new long[original.dim()];
        Array.Fill(shape, 1);
        shape[0] = levels.Length;
        Tensor Column(Func<(double Signal, double Noise), double> part)
            => tensor(levels.Select(level => (float)part(level)).ToArray(), device: original.device).view(shape);
        return (Column(level => level.Signal) * original).Add(Column(level => level.Noise) * noise).to(original.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>The index a run starts at that changes given latents rather than begins from noise.</summary>
    /// <param name="strength">Share of the steps to run, above 0 up to 1.</param>
    /// <exception cref="RequestException">The strength is out of range, or so small that no step is left.</exception>
    public int StartIndex(double strength)
    {
        var steps = Math.Min((int)(Steps * strength), Steps);
        if (strength is not (> 0 and <= 1) || steps < 1)
            throw new RequestException($"A strength of {strength} leaves none of the {Steps} steps; expected 1/{Steps} to 1.");
        return EntryOfStep(Steps - steps);
    }

    /// <summary>Starts a generation. Dispose the run when it is over.</summary>
    public abstract SchedulerRun Start();

    /// <summary>Signal and noise of the sample, as x = Signal·x_0 + Noise·ε, where an entry of <see cref="Timesteps"/> is evaluated.</summary>
    internal abstract (double Signal, double Noise) LevelAt(int index);

    /// <summary>Signal and noise of a sample noised to a timestep.</summary>
    private protected virtual (double Signal, double Noise) LevelOf(double timestep) => LevelAt(IndexOf(timestep));

    /// <summary>Where a timestep is evaluated; of two evaluations the second, as in diffusers.</summary>
    private protected int IndexOf(double timestep)
    {
        var index = Array.IndexOf(_timesteps, timestep);
        if (index < 0)
            throw new ArgumentException($"{timestep} is none of the {Info.Name} scheduler's timesteps.", nameof(timestep));
        return index + 1 < _timesteps.Length && _timesteps[index + 1] == timestep ? index + 1 : index;
    }

    /// <summary>Index of the first evaluation of a step; runs may start on these only.</summary>
    internal virtual int EntryOfStep(int step) => step;

    private static Scheduler Build(SchedulerInfo info, SchedulerOptions options, IReadOnlyDictionary<string, string>? overrides, int steps)
    {
        foreach (var (name, value) in overrides ?? new Dictionary<string, string>())
            options = SchedulerSettings.Set(info, options, name, value);
        SchedulerSettings.Check(info, options);
        if (steps < 1 || steps > options.NumTrainTimesteps)
        {
            throw new RequestException(
                $"The {info.Name} scheduler cannot run {steps} steps; expected 1 to {options.NumTrainTimesteps}, the number of training timesteps.");
        }
        return info.Build(new SchedulerSetup(info, options, steps));
    }
}
