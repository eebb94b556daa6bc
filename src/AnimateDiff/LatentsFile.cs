using AnimateDiff.Noise;
using AnimateDiff.Weights;

namespace AnimateDiff;

/// <summary>
/// A clip as noise, which <see cref="AnimateDiffPipeline.InvertAsync"/> wrote: a safetensors file with one tensor <c>latents</c> [1, 4, F, h, w] in fp32, and in its
/// metadata under <c>animatediff</c> the <see cref="Recipe"/> of the inversion.
/// </summary>
public sealed record LatentsFile
{
    private const string Name = "latents";
    private const string RecipeKey = "animatediff";

    private LatentsFile(string path, IReadOnlyList<long> shape, Recipe? recipe) =>
        (Path, Frames, Height, Width, Recipe) = (path, (int)shape[2], (int)shape[3], (int)shape[4], recipe);

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>F, frames of the clip.</summary>
    public int Frames { get; }

    /// <summary>h, in latent pixels, of which Stable Diffusion's are 8 pixels of the picture.</summary>
    public int Height { get; }

    /// <summary>w, in latent pixels.</summary>
    public int Width { get; }

    /// <summary>How the clip was inverted; null in a file of another program.</summary>
    public Recipe? Recipe { get; }

    /// <summary>Looks into a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileException">It is missing, damaged, or holds no latents.</exception>
    public static LatentsFile Open(string path)
    {
        using var file = WeightFile.Open(path);
        if (!file.TryGetValue(Name, out var latents))
            throw new FileException(path, $"{path} has no tensor '{Name}' among its {file.Count}; expected a file that 'animatediff invert' wrote.");
        if (latents.Shape is not [1, InitialLatents.Channels, >= 1, >= 1, >= 1])
            throw new FileException(path, $"The latents in {path} have the shape [{string.Join(", ", latents.Shape)}]; expected [1, {InitialLatents.Channels}, frames, h, w] in latent pixels.");
        return new LatentsFile(path, latents.Shape, file.Metadata.TryGetValue(RecipeKey, out var recipe) ? Recipe.FromJson(recipe, path) : null);
    }

    /// <summary>A request that begins from these latents, with what makes the way back that of the inversion: its steps, sampler, sampler's options and semantics.</summary>
    /// <param name="request">Everything else.</param>
    public GenerationRequest Apply(GenerationRequest request)
    {
        request = request with { Source = new ClipSource(SourceKind.Latents, Path, 1) };
        return Recipe is null ? request
            : request with { Steps = Recipe.Steps, Scheduler = Recipe.Scheduler, SchedulerOptions = Recipe.SchedulerOptions, Semantics = Recipe.Semantics };
    }

    /// <summary>A request with the size of the clip.</summary>
    /// <param name="request">Begins from these latents.</param>
    /// <param name="pixels">Pixels of a latent pixel.</param>
    /// <param name="warnings">Gets a sentence where the run is not the inversion's way back.</param>
    /// <exception cref="RequestException">It asks for another size.</exception>
    internal GenerationRequest Settle(GenerationRequest request, int pixels, List<string> warnings)
    {
        int Same(string what, int? asked, int own) => asked is null || asked == own ? own
            : throw new RequestException($"{what} {asked} is asked for, and the latents in {Path} are of {own}: leave it out, or invert the clip in that size.");
        request = request with { Frames = Same("frames", request.Frames, Frames), Height = Same("height", request.Height, Height * pixels), Width = Same("width", request.Width, Width * pixels) };
        if (Recipe is not null && Differences(Recipe, request) is { Count: > 0 } differences)
            warnings.Add($"{Path} was inverted otherwise ({string.Join("; ", differences)}), so that this run is not the way back of it: leave these settings out to have the file's.");
        return request;
    }

    /// <summary>The latents, [1, 4, F, h, w] in fp32, in the caller's dispose scope.</summary>
    /// <exception cref="FileException">Some are no numbers.</exception>
    internal Tensor Read(Device device)
    {
        using var scope = NewDisposeScope();
        using var file = WeightFile.Open(Path);
        var latents = file[Name].Read().to(ScalarType.Float32);
        if (!latents.isfinite().all().item<bool>())
            throw new FileException(Path, $"The latents in {Path} are not all finite numbers; invert the clip again, in fp32.");
        return latents.to(device).MoveToOuterDisposeScope();
    }

    /// <summary>Writes a file; it appears complete or not at all.</summary>
    /// <param name="path">The file; an existing one is replaced.</param>
    /// <param name="latents">[1, 4, F, h, w]</param>
    /// <param name="recipe">How they were made; null for nothing.</param>
    /// <exception cref="FileException">It cannot be written.</exception>
    internal static void Write(string path, Tensor latents, Recipe? recipe) =>
        SafetensorsWriter.Write(path, [(Name, latents)], recipe is null ? null : new Dictionary<string, string> { [RecipeKey] = recipe.ToJson() }, ScalarType.Float32);

    // Each as "steps 50, here 25".
    private static List<string> Differences(Recipe made, GenerationRequest request)
    {
        var settings = Noise.Scheduler.Create(request.Scheduler, request.SchedulerOptions, request.Steps).Settings;
        var pairs = new List<(string Name, string Made, string Here)>
        {
            ("scheduler", made.Scheduler, request.Scheduler),
            ("steps", $"{made.Steps}", $"{request.Steps}"),
            ("semantics", $"{made.Semantics}", $"{request.Semantics}"),
        };
        if (made.Scheduler == request.Scheduler)
            pairs.AddRange(made.SchedulerOptions.Select(option => (option.Key, option.Value, settings.GetValueOrDefault(option.Key, "none"))));
        return [.. pairs.Where(pair => pair.Made != pair.Here).Select(pair => $"{pair.Name} {pair.Made}, here {pair.Here}")];
    }
}
