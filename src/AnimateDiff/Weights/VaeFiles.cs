using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>A VAE by itself: a diffusers folder, its weight file, or a single file of CompVis's layout.</summary>
public sealed class VaeFiles : IDisposable
{
    private static readonly string[] Parts = ["encoder.", "decoder.", "quant_conv.", "post_quant_conv."];   // the rest, loss.* and model_ema.*, is training's

    private readonly StateDict _file;

    /// <summary>The tensors under diffusers' names.</summary>
    public StateDict Weights { get; }

    /// <summary>The VAE's <c>config.json</c>, or the same derived from the shapes.</summary>
    public string Config { get; }

    /// <summary>Every file that was opened.</summary>
    public IReadOnlyList<string> Files { get; }

    private VaeFiles(StateDict file, StateDict weights, string config) => (_file, Weights, Config, Files) = (file, weights, config, [.. ModelFolder.FilesOf(file)]);

    /// <summary>Opens a VAE.</summary>
    /// <exception cref="FileException">It is missing, damaged or something else.</exception>
    public static VaeFiles Open(string path)
    {
        var file = ModelFolder.Open(path);
        try
        {
            var kind = ModelDetection.Detect(file);
            if (kind.Kind != CheckpointKind.Vae)
                throw new FileException(path, $"{path} is {KindSentences.Short(kind)}, not a VAE; give a VAE's folder or file.");
            var bare = Wrappers.Strip(file).Select(name => Parts.Any(part => name.StartsWith(part, StringComparison.Ordinal)) ? name : null);
            var weights = CompVisVaeLayout.Matches(bare.Keys) ? CompVisVaeLayout.ToDiffusers(bare) : LegacyDiffusersLayout.ToDiffusers(bare);
            var stored = Directory.Exists(path) ? ModelFolder.Json(path, "config.json") : null;
            return new VaeFiles(file, weights, stored ?? ModelConfigs.Text(ModelConfigs.Vae(weights, ModelFamily.StableDiffusion1)));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Closes the file. Tensors already read stay.</summary>
    public void Dispose() => _file.Dispose();
}
