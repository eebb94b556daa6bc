using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AnimateDiff.Weights;

/// <summary>One tensor of a checkpoint.</summary>
/// <param name="Name">Name in the file; in a model folder, after the part it is in (<c>unet/conv_in.weight</c>).</param>
/// <param name="DType">Type of its elements.</param>
/// <param name="Shape">Its shape.</param>
public sealed record TensorInfo(string Name, ScalarType DType, IReadOnlyList<long> Shape);

/// <summary>What a file or folder holds, for people and as JSON.</summary>
public sealed record CheckpointReport
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>File or folder.</summary>
    public required string Path { get; init; }

    /// <summary>File format: safetensors, PyTorch zip, …</summary>
    public required string Format { get; init; }

    /// <summary>What was detected: kind, version, layout, base family, widths, types; its sentence is for people.</summary>
    public required ModelKind Kind { get; init; }

    /// <summary>The files that make it up.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>Strings and numbers in the file that are not tensors.</summary>
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }

    /// <summary>The tensors in the order of their names.</summary>
    public required IReadOnlyList<TensorInfo> Tensors { get; init; }

    /// <summary>The report as JSON, names in snake_case: what the file is first, its tensors last.</summary>
    public string ToJson() => JsonSerializer.Serialize(new
    {
        Path,
        Format,
        Kind.Kind,
        Version = Kind.Motion?.Version,
        Kind.Layout,
        Family = KindSentences.Name(Kind.Family),
        Dtype = Kind.DTypes.Select(Name),
        Kind.ParameterCount,
        Description = Kind.Sentence,
        Kind.Warnings,
        Kind.Motion,
        Kind.Lora,
        Kind.BlockWidths,
        Kind.CrossAttentionWidth,
        Files,
        Metadata,
        Tensors = Tensors.Select(tensor => new { tensor.Name, Dtype = Name(tensor.DType), tensor.Shape }),
    }, Options);

    private static string Name(ScalarType dtype) => dtype.ToString().ToLowerInvariant();
}

/// <summary>Looks into checkpoints without reading a tensor.</summary>
public static class CheckpointInspector
{
    /// <summary>Says what a file, a model's folder or a whole diffusers folder holds.</summary>
    /// <exception cref="FileException">There is nothing, or it cannot be read.</exception>
    public static CheckpointReport Inspect(string path)
    {
        if (BaseModelFiles.IsFolder(path))
            return InspectPipeline(path);
        using var file = ModelFolder.Open(path);
        return new CheckpointReport
        {
            Path = path,
            Format = file.Format,
            Kind = ModelDetection.Detect(file, ModelFolder.MotionRows(ModelFolder.MotionConfig(path, file))),
            Files = [.. ModelFolder.FilesOf(file)],
            Metadata = file.Metadata,
            Tensors = [.. Tensors(file, "")],
        };
    }

    /// <summary>Reads every tensor of a file or folder, which finds what the headers alone do not show: truncated data, and numbers that are none.</summary>
    /// <returns>The floating point tensors that hold NaN or infinite values.</returns>
    /// <exception cref="FileException">There is nothing, or a tensor cannot be read.</exception>
    public static IReadOnlyList<string> Verify(string path)
    {
        string[] folders = BaseModelFiles.IsFolder(path) ? [.. Directory.EnumerateDirectories(path).Where(ModelFolder.HasWeights).Order(StringComparer.Ordinal)] : [path];
        var notFinite = new List<string>();
        foreach (var folder in folders)
        {
            using var file = ModelFolder.Open(folder);
            foreach (var (name, tensor) in file)
            {
                using var scope = NewDisposeScope();
                var values = tensor.Read();
                if (values.is_floating_point() && !values.isfinite().all().item<bool>())
                    notFinite.Add(folders.Length == 1 ? name : $"{System.IO.Path.GetFileName(folder)}/{name}");
            }
        }
        return notFinite;
    }

    /// <summary>What a file or folder is, without the list of its tensors.</summary>
    internal static ModelKind KindOf(string path) => Inspect(path).Kind;

    private static CheckpointReport InspectPipeline(string path)
    {
        string[] parts = [.. Directory.EnumerateDirectories(path).Where(ModelFolder.HasWeights).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];
        var open = parts.ToDictionary(part => part, part => ModelFolder.Open(Path.Combine(path, part)));
        try
        {
            if (!open.TryGetValue("unet", out var unet))
                throw new FileException(path, $"{path} is a model folder without weights in unet/; download the whole folder.");
            var kinds = open.ToDictionary(part => part.Key, part => ModelDetection.Detect(part.Value));
            var kind = kinds["unet"] with
            {
                Kind = kinds["unet"].IsTuneAVideo ? CheckpointKind.TuneAVideo : CheckpointKind.BaseFolder,
                Layout = kinds.Values.Any(part => part.Layout == CheckpointLayout.LegacyDiffusers) ? CheckpointLayout.LegacyDiffusers : CheckpointLayout.Diffusers,
                ParameterCount = kinds.Values.Sum(part => part.ParameterCount),
                DTypes = [.. kinds.Values.SelectMany(part => part.DTypes).Distinct().Order()],
            };
            return new CheckpointReport
            {
                Path = path,
                Format = string.Join(", ", open.Values.Select(part => part.Format).Distinct()),
                Kind = kind with { Sentence = KindSentences.Describe(kind) },
                Files = [.. open.Values.SelectMany(ModelFolder.FilesOf)],
                Metadata = open.SelectMany(part => part.Value.Metadata.Select(entry => ($"{part.Key}/{entry.Key}", entry.Value))).ToDictionary(),
                Tensors = [.. open.SelectMany(part => Tensors(part.Value, part.Key + "/"))],
            };
        }
        finally
        {
            foreach (var part in open.Values)
                part.Dispose();
        }
    }

    private static IEnumerable<TensorInfo> Tensors(StateDict file, string prefix)
        => file.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => new TensorInfo(prefix + entry.Key, entry.Value.DType, entry.Value.Shape));
}
