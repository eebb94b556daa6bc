using System.Text.Json;

namespace AnimateDiff;

/// <summary>What makes an enhanced clip again whose source has no recipe of its own: it is written into the output.</summary>
public sealed record EnhancedRecipe
{
    /// <summary>Name and version of the program.</summary>
    public string Program { get; init; } = Recipe.ProgramName;
    /// <summary>The clip that was enhanced: a file, or a folder of pictures with the hash of its pictures' hashes.</summary>
    public required RecipeFile Enhanced { get; init; }
    /// <summary>What was done to it.</summary>
    public required Finish Finish { get; init; }
    /// <summary>The upscaler, or none.</summary>
    public required IReadOnlyList<RecipeFile> Files { get; init; }
    /// <summary>Frames a second of the source.</summary>
    public required double Fps { get; init; }

    /// <summary>The recipe of a clip that is about to be enhanced.</summary>
    /// <param name="path">The clip.</param>
    /// <param name="finish">What is done to it.</param>
    /// <param name="fps">Its frames a second.</param>
    /// <exception cref="FileException">The clip or the upscaler is missing.</exception>
    public static async Task<EnhancedRecipe> OfAsync(string path, Finish finish, double fps) => new()
    {
        Enhanced = new RecipeFile(path, await SourceFingerprint.OfAsync(path)),
        Finish = finish,
        Files = await Recipe.FilesOfAsync(finish),
        Fps = fps,
    };

    /// <summary>The recipe as indented JSON with snake_case names.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Recipe.Json);

    /// <summary>Reads what <see cref="ToJson"/> wrote; null where the text is something else, such as a <see cref="Recipe"/>.</summary>
    /// <param name="json">The text.</param>
    public static EnhancedRecipe? TryRead(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<EnhancedRecipe>(json, Recipe.Json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Compares the files of this recipe with those of another by their content.</summary>
    /// <param name="other">The recipe of the files found.</param>
    /// <exception cref="FileException">One is not the recorded one.</exception>
    public void CheckFiles(EnhancedRecipe other)
    {
        foreach (var (recorded, found) in Files.Prepend(Enhanced).Zip(other.Files.Prepend(other.Enhanced)))
            if (recorded.Sha256 != found.Sha256)
                throw new FileException(found.Path, $"{found.Path} is not the file that made the animation (SHA-256 {recorded.Sha256[..12]}… was recorded, and its is {found.Sha256[..12]}…): give the right one.");
    }
}
