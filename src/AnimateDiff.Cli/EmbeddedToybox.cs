namespace AnimateDiff.Cli;

/// <summary>Which option a model is named for: <c>toybox</c> alone means the part of the embedded model that belongs there.</summary>
internal enum ModelPart
{
    Base,
    Motion,
    DomainAdapter,

    /// <summary>Only the parts with names of their own.</summary>
    Other,
}

/// <summary>
/// The trained Toybox model that is installed beside the program. Its parts have names that are taken wherever a model's path is, and that are recorded in
/// recipes, for the paths differ from one machine to the next.
/// </summary>
internal static class EmbeddedToybox
{
    /// <summary>The model's name.</summary>
    public const string Name = "toybox";

    /// <summary>The guidance scale that suits it; Stable Diffusion's 7.5 burns its plain colours.</summary>
    public const double Guidance = 4;

    /// <summary>Names another folder than the one beside the program.</summary>
    public const string FolderVariable = "ANIMATEDIFF_TOYBOX";

    private static readonly Dictionary<string, string> Files = new()
    {
        [Name] = "base",
        ["toybox:neon"] = "neon",
        ["toybox:motion"] = "motion",
        ["toybox:domain-adapter"] = "domain-adapter.safetensors",
        ["toybox:zoom-in"] = "motion-lora/zoom-in.safetensors",
        ["toybox:zoom-out"] = "motion-lora/zoom-out.safetensors",
        ["toybox:pan-left"] = "motion-lora/pan-left.safetensors",
    };

    /// <summary>Where its files are, there or not.</summary>
    public static string Folder => Environment.GetEnvironmentVariable(FolderVariable) is { Length: > 0 } given ? given : Path.Combine(AppContext.BaseDirectory, "models", Name);

    /// <summary>True for <c>toybox</c> and <c>toybox:…</c>, also where a data set's folder has that name: <c>./toybox</c> is the folder.</summary>
    public static bool IsName(string text) => text == Name || text.StartsWith($"{Name}:", StringComparison.Ordinal);

    /// <summary>The file or folder of a name.</summary>
    /// <param name="name">A text for which <see cref="IsName"/> is true.</param>
    /// <param name="part">What it is given as.</param>
    /// <exception cref="RequestException">It has no part of this name.</exception>
    /// <exception cref="FileException">The part is not installed.</exception>
    public static string Resolve(string name, ModelPart part)
    {
        var asked = (name, part) switch
        {
            (Name, ModelPart.Motion) => "toybox:motion",
            (Name, ModelPart.DomainAdapter) => "toybox:domain-adapter",
            _ => name,
        };
        if (!Files.TryGetValue(asked, out var file))
            throw new RequestException($"The embedded Toybox model has no part '{name}': expected {string.Join(", ", Files.Keys)}.");
        var path = Path.GetFullPath(Path.Combine(Folder, file));
        return Path.Exists(path) ? path : throw new FileException(path,
            $"{path}, the embedded model's '{asked}', is not installed: build the program again from a complete checkout, or pass --base with a Stable Diffusion 1.5 folder or file.");
    }
}
