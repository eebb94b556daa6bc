using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using AnimateDiff.Video;
using AnimateDiff.Weights;

namespace AnimateDiff;

/// <summary>A file that took part, by name and content.</summary>
/// <param name="Path">As it was given.</param>
/// <param name="Sha256">SHA-256 of its content, in lower-case hexadecimal.</param>
public sealed record RecipeFile(string Path, string Sha256);

/// <summary>An adapter that took part.</summary>
/// <param name="Role">What it was given as.</param>
/// <param name="Path">As it was given.</param>
/// <param name="Scale">Its strength.</param>
/// <param name="Sha256">SHA-256 of its content.</param>
public sealed record RecipeAdapter(AdapterRole Role, string Path, Curve Scale, string Sha256);

/// <summary>A video or picture that took part.</summary>
/// <param name="Kind">How.</param>
/// <param name="Path">As it was given.</param>
/// <param name="Strength">See <see cref="ClipSource.Strength"/>.</param>
/// <param name="Sha256">SHA-256 of its content; of a folder the one of its pictures' hashes, joined in their order.</param>
/// <param name="Mask">The mask, as it was given.</param>
/// <param name="MaskSha256">The same for the mask.</param>
public sealed record RecipeSource(SourceKind Kind, string Path, double Strength, string Sha256, string? Mask = null, string? MaskSha256 = null)
{
    internal IEnumerable<RecipeFile> Files => Mask is null ? [new(Path, Sha256)] : [new(Path, Sha256), new(Mask, MaskSha256!)];
}

/// <summary>Everything that makes an animation again: it is written into every output. Unknown keys are refused when read.</summary>
public sealed record Recipe
{
    internal static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    };

    internal static string ProgramName { get; } = $"AnimateDiff.NET {typeof(Recipe).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0]}";

    /// <summary>Name and version of the program.</summary>
    public string Program { get; init; } = ProgramName;
    /// <summary>See <see cref="GenerationRequest.Prompts"/>.</summary>
    public required IReadOnlyList<string> Prompts { get; init; }
    /// <summary>See <see cref="GenerationRequest.NegativePrompts"/>.</summary>
    public required IReadOnlyList<string> NegativePrompts { get; init; }
    /// <summary>See <see cref="GenerationRequest.Seed"/>.</summary>
    public required ulong Seed { get; init; }
    /// <summary>See <see cref="GenerationRequest.Method"/>.</summary>
    public GenerationMethod? Method { get; init; }
    /// <summary>See <see cref="GenerationRequest.ZeroShot"/>; null with another method.</summary>
    public ZeroShot? ZeroShot { get; init; }
    /// <summary>Frames of each clip.</summary>
    public required int Frames { get; init; }
    /// <summary>Width in pixels.</summary>
    public required int Width { get; init; }
    /// <summary>Height in pixels.</summary>
    public required int Height { get; init; }
    /// <summary>Denoising steps.</summary>
    public required int Steps { get; init; }
    /// <summary>Guidance scale.</summary>
    public required Curve GuidanceScale { get; init; }
    /// <summary>The sampler.</summary>
    public required string Scheduler { get; init; }
    /// <summary>All the sampler's options in effect, defaults included.</summary>
    public required IReadOnlyDictionary<string, string> SchedulerOptions { get; init; }
    /// <summary>Layers of the text encoder left out.</summary>
    public required int ClipSkip { get; init; }
    /// <summary>Whether prompts were cut after 75 tokens.</summary>
    public required bool Truncate { get; init; }
    /// <summary>Whose numbers.</summary>
    public required Semantics Semantics { get; init; }
    /// <summary><c>fp32</c> or <c>bf16</c>.</summary>
    public required string Dtype { get; init; }
    /// <summary>See <see cref="PipelineOptions.Memory"/>; null for normal.</summary>
    public MemoryUse? Memory { get; init; }
    /// <summary><c>cpu</c> or <c>cuda</c>.</summary>
    public required string Device { get; init; }
    /// <summary>Frames a second as generated; frames that are put between them (<see cref="Finish"/>) make it more in the output.</summary>
    public double Fps { get; init; } = 8;
    /// <summary>The base model, as it was given.</summary>
    public required string Base { get; init; }
    /// <summary>The motion module, as it was given.</summary>
    public string? Motion { get; init; }
    /// <summary>The tokenizer's folder, as it was given.</summary>
    public string? Tokenizer { get; init; }
    /// <summary>The VAE, as it was given.</summary>
    public string? Vae { get; init; }
    /// <summary>See <see cref="PipelineOptions.MotionVersion"/>.</summary>
    public MotionVersion? MotionVersion { get; init; }
    /// <summary>See <see cref="PipelineOptions.ResnetNormAcrossFrames"/>.</summary>
    public bool? ResnetNormAcrossFrames { get; init; }
    /// <summary>See <see cref="GenerationRequest.GuidanceInterval"/>.</summary>
    public GuidanceInterval? GuidanceInterval { get; init; }
    /// <summary>See <see cref="GenerationRequest.DeepCache"/>.</summary>
    public DeepCache? DeepCache { get; init; }
    /// <summary>See <see cref="GenerationRequest.GuidanceRescale"/>.</summary>
    public double GuidanceRescale { get; init; }
    /// <summary>See <see cref="GenerationRequest.PerturbedAttention"/>.</summary>
    public PerturbedAttention? PerturbedAttention { get; init; }
    /// <summary>See <see cref="GenerationRequest.FreeU"/>.</summary>
    public FreeU? FreeU { get; init; }
    /// <summary>See <see cref="GenerationRequest.FreeInit"/>.</summary>
    public int? FreeInit { get; init; }
    /// <summary>See <see cref="GenerationRequest.FreeNoise"/>.</summary>
    public FreeNoise? FreeNoise { get; init; }
    /// <summary>See <see cref="GenerationRequest.Context"/>.</summary>
    public FrameContext? Context { get; init; }
    /// <summary>See <see cref="GenerationRequest.InitialNoise"/>.</summary>
    public NoiseKind? InitialNoise { get; init; }
    /// <summary>See <see cref="GenerationRequest.FrameSeeds"/>; null for none.</summary>
    public IReadOnlyList<FrameSeed>? FrameSeeds { get; init; }
    /// <summary>Adapters in place.</summary>
    public required IReadOnlyList<RecipeAdapter> Adapters { get; init; }
    /// <summary>See <see cref="GenerationRequest.Source"/>.</summary>
    public RecipeSource? Source { get; init; }
    /// <summary>See <see cref="GenerationRequest.PromptsAt"/>; null for none.</summary>
    public IReadOnlyList<PromptAt>? PromptsAt { get; init; }
    /// <summary>ControlNets and what they followed, or null; their files are among <see cref="Files"/>.</summary>
    public IReadOnlyList<ControlNetInput>? Controls { get; init; }
    /// <summary>A SparseCtrl encoder and its pictures, or null; their files are among <see cref="Files"/>.</summary>
    public SparseControl? Sparse { get; init; }
    /// <summary>Pictures as prompts, or null; their files are among <see cref="Files"/>.</summary>
    public IReadOnlyList<ImagePrompt>? ImagePrompts { get; init; }
    /// <summary>See <see cref="GenerationRequest.Hires"/>.</summary>
    public Hires? Hires { get; init; }
    /// <summary>See <see cref="GenerationRequest.Finish"/>; null for nothing. The files of upscalers are among <see cref="Files"/>.</summary>
    public IReadOnlyList<Finish>? Finish { get; init; }
    /// <summary>Textual-inversion embeddings.</summary>
    public required IReadOnlyList<string> Embeddings { get; init; }
    /// <summary>Every other file that was read: weights, vocabulary and pictures.</summary>
    public required IReadOnlyList<RecipeFile> Files { get; init; }

    /// <summary>The recipe as indented JSON with snake_case names.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>The recipe that a clip has inside; null where it has none that can be read.</summary>
    internal static Recipe? InClip(string path)
    {
        try
        {
            return FromJson(RecipeReader.Read(path), path);
        }
        catch (FileException)
        {
            return null;
        }
    }

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <param name="json">The text.</param>
    /// <param name="path">Where it comes from, for messages.</param>
    /// <exception cref="FileException">It is not a recipe of this version.</exception>
    public static Recipe FromJson(string json, string path)
    {
        try
        {
            return JsonSerializer.Deserialize<Recipe>(json, Json) ?? throw new JsonException("it is null");
        }
        catch (JsonException error)
        {
            throw new FileException(path, $"The recipe in {path} cannot be read ({error.Message.Split(" Path:")[0]}); it was made by another version of this program.", error);
        }
    }

    /// <summary>Compares the files of this recipe with those of another by their content.</summary>
    /// <exception cref="FileException">One of this recipe's files is not among the other's.</exception>
    public void CheckFiles(Recipe other)
    {
        var found = other.Hashes.ToHashSet();
        foreach (var file in Files.Concat(Adapters.Select(adapter => new RecipeFile(adapter.Path, adapter.Sha256))).Concat(Source?.Files ?? []))
            if (!found.Contains(file.Sha256))
                throw new FileException(file.Path, $"{file.Path} is not the file that made the animation (SHA-256 {file.Sha256[..12]}… was recorded and is not among the files found): give the right one, or --force to go on with this one.");
    }

    private IEnumerable<string> Hashes => [.. Files.Select(file => file.Sha256), .. Adapters.Select(adapter => adapter.Sha256), .. Source?.Files.Select(file => file.Sha256) ?? []];

    /// <summary>Frames a second of the output.</summary>
    [JsonIgnore]
    public double FpsOfOutput => Fps * AnimateDiff.Finish.Speed(Finish);

    /// <summary>The recipe with one more step after the others.</summary>
    /// <param name="finish">The step.</param>
    /// <param name="fps">Frames a second before it.</param>
    /// <exception cref="FileException">Its upscaler is missing.</exception>
    public async Task<Recipe> WithAsync(Finish finish, double fps) => this with
    {
        Fps = fps / AnimateDiff.Finish.Speed(Finish),
        Finish = [.. Finish ?? [], finish],
        Files = [.. Files, .. await FilesOfAsync(finish)],
    };

    internal static async Task<RecipeFile[]> FilesOfAsync(Finish finish) =>
        await Task.WhenAll(ClipFinisher.FilesOf([finish]).Select(async path => new RecipeFile(path, await SourceFingerprint.OfAsync(path))));

    /// <summary>The request that made it.</summary>
    public GenerationRequest ToRequest() => new(Prompts)
    {
        NegativePrompts = NegativePrompts,
        Method = Method,
        ZeroShot = ZeroShot,
        Frames = Frames,
        Width = Width,
        Height = Height,
        Steps = Steps,
        GuidanceScale = GuidanceScale,
        Seed = Seed,
        Scheduler = Scheduler,
        SchedulerOptions = SchedulerOptions,
        ClipSkip = ClipSkip,
        Truncate = Truncate,
        Semantics = Semantics,
        GuidanceInterval = GuidanceInterval,
        DeepCache = DeepCache,
        GuidanceRescale = GuidanceRescale,
        PerturbedAttention = PerturbedAttention,
        FreeU = FreeU,
        FreeInit = FreeInit,
        FreeNoise = FreeNoise,
        Context = Context,
        InitialNoise = InitialNoise,
        FrameSeeds = FrameSeeds ?? [],
        Adapters = [.. Adapters.Select(adapter => new Adapter(adapter.Role, adapter.Path, adapter.Scale))],
        Source = Source is null ? null : new(Source.Kind, Source.Path, Source.Strength, Source.Mask),
        PromptsAt = PromptsAt ?? [],
        Controls = Controls ?? [],
        Sparse = Sparse,
        ImagePrompts = ImagePrompts ?? [],
        Hires = Hires,
        Finish = Finish ?? [],
    };

    /// <summary>The pipeline that made it.</summary>
    public PipelineOptions ToOptions() => new()
    {
        Base = Base,
        Motion = Motion,
        Tokenizer = Tokenizer,
        Vae = Vae,
        MotionVersion = MotionVersion,
        ResnetNormAcrossFrames = ResnetNormAcrossFrames,
        Embeddings = Embeddings,
        DType = PipelineOptions.ParseDType(Dtype),
        Memory = Memory ?? MemoryUse.Normal,
        Device = Device,
    };
}
