using AnimateDiff.Weights;

namespace AnimateDiff.Training.Recipes;

/// <summary>The configurations of a base model: what is needed to make one with random weights, and to write a trained one.</summary>
/// <param name="UNet">The UNet's <c>config.json</c>.</param>
/// <param name="Text">The text encoder's.</param>
/// <param name="Scheduler">The scheduler's, or null.</param>
/// <param name="TokenizerFolder">Folder of the tokenizer, which is the recipe's where it names one; or null.</param>
internal sealed record BaseConfigs(string UNet, string Text, string? Scheduler, string? TokenizerFolder)
{
    public static BaseConfigs Of(BaseModelFiles files) => new(files.UNetConfig, files.TextEncoderConfig, files.SchedulerConfig, files.TokenizerFolder);

    /// <summary>Of a diffusers folder that may hold no weights.</summary>
    /// <exception cref="FileException">A configuration is missing or is not JSON.</exception>
    public static BaseConfigs Of(string folder)
    {
        var tokenizer = Path.Combine(folder, "tokenizer");
        return new(Find(folder, "unet"), Find(folder, "text_encoder"), ModelFolder.Json(Path.Combine(folder, "scheduler"), "scheduler_config.json"),
            File.Exists(Path.Combine(tokenizer, "vocab.json")) ? tokenizer : null);
    }

    /// <summary>The configuration of one part.</summary>
    public static string Find(string folder, string part) => ModelFolder.Json(Path.Combine(folder, part), "config.json")
        ?? throw new FileException(folder, $"{folder} has no {part}/config.json; training from nothing takes a folder of configurations in the diffusers layout.");
}
