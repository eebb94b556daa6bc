using System.Text.Json;

namespace AnimateDiff.Weights;

/// <summary>The folder of one model as diffusers and transformers write it: <c>config.json</c> and a weight file of a known name.</summary>
internal static class ModelFolder
{
    private static readonly string[] Stems = ["diffusion_pytorch_model", "model", "pytorch_lora_weights", "ip-adapter"];

    /// <summary>Whether the folder holds weights by themselves (not the parts of a pipeline).</summary>
    public static bool HasWeights(string folder) => Directory.Exists(folder) && FindStem(folder) is not null;

    /// <summary>Opens a file, or the weights of a folder.</summary>
    /// <exception cref="FileException">There is nothing there, or it cannot be read.</exception>
    public static StateDict Open(string path)
    {
        if (!Directory.Exists(path))
            return WeightFile.Open(path);
        if (FindStem(path) is { } stem)
            return WeightFile.OpenFolder(path, stem);
        if (Directory.GetFiles(path, "*.safetensors") is [var only])
            return WeightFile.Open(only);
        if (BaseModelFiles.IsFolder(path))
            throw new FileException(path, $"{path} is the folder of a whole base model, not of one model; give it as --base, or name the part of it that is meant, such as {Path.Combine(path, "vae")}.");
        throw new FileException(path, $"{path} holds no weights ({string.Join(", ", Stems.Select(name => name + ".safetensors"))} or .bin); name the folder of one model, or a file.");
    }

    /// <summary>The files that <see cref="Open"/> read, for recording what a result was made with.</summary>
    public static IEnumerable<string> FilesOf(StateDict weights)
        => Directory.Exists(weights.Path)
            ? Directory.EnumerateFiles(weights.Path).Where(file => file.Contains("-of-", StringComparison.Ordinal) || file.Contains(".index.", StringComparison.Ordinal)).Order(StringComparer.Ordinal)
            : [weights.Path];

    /// <summary>Text of a JSON file of the folder, or null when it has none.</summary>
    /// <exception cref="FileException">It is not JSON.</exception>
    public static string? Json(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        if (!File.Exists(path))
            return null;
        return Object(path, File.ReadAllText(path), "it");
    }

    private static string Object(string path, string text, string what)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                throw new FileException(path, $"{path}: {what} is JSON but no object; the file is damaged, get it again.");
        }
        catch (JsonException error)
        {
            throw new FileException(path, $"{path}: {what} is not JSON: {error.Message} Get the file again.", error);
        }
        return text;
    }

    /// <summary>A motion adapter's configuration: in the file's metadata, or the <c>config.json</c> beside it; null where there is none or it is another model's.</summary>
    /// <param name="path">The adapter's folder or its weight file.</param>
    /// <param name="file">What it holds.</param>
    /// <exception cref="FileException">It is not JSON.</exception>
    public static string? MotionConfig(string path, StateDict file)
    {
        if (file.Metadata.TryGetValue(BaseModelFiles.ConfigMetadata + "motion", out var kept))
            return Object(path, kept, "the configuration in its metadata");
        var folder = Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!;
        return Json(folder, "config.json") is { } json && Property(json, "_class_name")?.GetString() is "MotionAdapter" ? json : null;
    }

    /// <summary>Rows of the position encoding by a motion adapter's configuration, or null.</summary>
    public static int? MotionRows(string? config) => config is null ? null : Property(config, "motion_max_seq_length")?.GetInt32();

    private static JsonElement? Property(string json, string name)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value.Clone() : null;
    }

    private static string? FindStem(string folder)
    {
        string[] files = [.. Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file)!)];
        bool Is(string file, string stem) => file.StartsWith(stem + ".", StringComparison.Ordinal) && (file.Contains(".safetensors") || file.Contains(".bin"));
        return Stems.FirstOrDefault(stem => files.Any(file => Is(file, stem) || (stem == "model" && Is(file, "pytorch_model"))));
    }
}
