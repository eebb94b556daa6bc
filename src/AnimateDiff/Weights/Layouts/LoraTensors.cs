using System.Text.Json;
using AnimateDiff.Lora;

namespace AnimateDiff.Weights.Layouts;

/// <summary>One low-rank layer as it lies in its file.</summary>
/// <param name="Down">First matrix.</param>
/// <param name="Up">Second matrix.</param>
/// <param name="Alpha">The file's alpha, or null where it has none, which means the rank.</param>
internal sealed record LoraTensor(WeightTensor Down, WeightTensor Up, double? Alpha)
{
    public long Rank => Down.Size(0);

    public double Scale => (Alpha ?? Rank) / Rank;
}

/// <summary>A LoRA of any layout by module path, with everything that a converter must keep.</summary>
internal sealed class LoraTensors
{
    /// <summary>Metadata key under which diffusers keeps PEFT's settings as JSON.</summary>
    public const string PeftMetadata = "lora_adapter_metadata";

    /// <summary>Metadata key by which our own files say what they were trained for when the names cannot.</summary>
    public const string KindMetadata = "animatediff.kind";

    private static readonly string[] Refused = ["hada_", "lokr_", ".dora_scale", ".lora_mid.", "lora_magnitude_vector"];

    public required StateDict File { get; init; }
    public required LoraKind Kind { get; init; }

    /// <summary>The layers by module path with its component in front.</summary>
    public required IReadOnlyDictionary<string, LoraTensor> Layers { get; init; }

    /// <summary>Type of the file's alphas, for a converter that goes back.</summary>
    public ScalarType? AlphaType { get; init; }

    /// <summary>Whether these are a LoRA's names, of a kind that can be read or not.</summary>
    public static bool Matches(IEnumerable<string> names)
        => names.Any(name => Refused.Any(name.Contains) || Parse(name) is { Part: not LoraPart.Alpha } || KohyaLoraLayout.Matches(name));

    /// <summary>Layer and part of a name in any layout, or null.</summary>
    public static LoraName? Parse(string name)
        => KohyaLoraLayout.Matches(name) ? KohyaLoraLayout.Parse(name) : ProcessorLoraLayout.Parse(name) ?? DiffusersLoraLayout.Parse(name);

    /// <summary>Sorts a file's tensors by layer. Reads only the alphas.</summary>
    /// <exception cref="FileException">A name means no layer, a layer is incomplete, or the file is of another method than LoRA.</exception>
    public static LoraTensors Read(StateDict file)
    {
        file = Wrappers.Strip(file);
        if (file.Keys.FirstOrDefault(name => Refused.Any(name.Contains)) is { } other)
            throw new FileException(file.Path,
                $"{file.Path} is not a plain LoRA but a LyCORIS or DoRA file ('{other}'), which cannot be applied layer by layer as W + scale·up·down; "
                + "use a LoRA with lora_down and lora_up, or merge this one into a checkpoint first.");

        var parts = new Dictionary<string, Dictionary<LoraPart, WeightTensor>>();
        foreach (var (name, tensor) in file)
        {
            var parsed = Parse(name) ?? throw new FileException(file.Path,
                $"{file.Path} has '{name}', which names no layer of Stable Diffusion; the file is damaged or belongs to another model.");
            if (!parts.TryGetValue(parsed.Module, out var layer))
                parts.Add(parsed.Module, layer = []);
            if (!layer.TryAdd(parsed.Part, tensor))
                throw new FileException(file.Path, $"{file.Path} has two tensors for the {parsed.Part} of '{parsed.Module}' (the second is '{name}'); the file mixes two layouts.");
        }

        var peft = file.Metadata.TryGetValue(PeftMetadata, out var json) ? PeftSettings(file, json) : null;
        var layers = parts.ToDictionary(part => part.Key, part => new LoraTensor(
            Required(file, part.Key, part.Value, LoraPart.Down), Required(file, part.Key, part.Value, LoraPart.Up),
            part.Value.TryGetValue(LoraPart.Alpha, out var alpha) ? Number(file, part.Key, alpha) : peft?.Invoke(part.Key)));
        if (layers.FirstOrDefault(layer => layer.Value.Up.Size(1) != layer.Value.Rank || layer.Value.Rank == 0) is { Key: { } wrong, Value: var bad })
            throw new FileException(file.Path, $"{file.Path}: the matrices of '{wrong}' have ranks {bad.Rank} and {bad.Up.Size(1)}; the file is damaged.");
        return new LoraTensors
        {
            File = file,
            Layers = layers,
            Kind = KindOf(file, [.. layers.Keys]),
            AlphaType = parts.Values.Select(part => part.GetValueOrDefault(LoraPart.Alpha)?.DType).FirstOrDefault(type => type is not null),
        };
    }

    /// <summary>The layers as the Lora folder takes them.</summary>
    public LoraWeights ToWeights() => new(File.Path, Kind, Layers.ToDictionary(layer => layer.Key, layer => new LoraLayer(layer.Value.Down, layer.Value.Up, layer.Value.Scale)));

    /// <summary>What a LoRA with these layers was trained for. A domain adapter looks like any attention LoRA of 2023's diffusers and is told by lacking everything else.</summary>
    public static LoraKind KindOf(StateDict file, IReadOnlyList<string> modules)
    {
        if (file.Metadata.TryGetValue(KindMetadata, out var written) && Enum.TryParse<LoraKind>(written, out var kind))
            return kind;
        if (modules.Count > 0 && modules.All(module => module.Contains(".motion_modules.", StringComparison.Ordinal)))
            return LoraKind.MotionLora;
        var processors = file.Keys.All(name => ProcessorLoraLayout.Parse(name) is not null);
        bool On(string attention) => modules.Any(module => module.Contains($".{attention}.", StringComparison.Ordinal));
        return processors && On("attn1") && On("attn2") && modules.All(module => module.StartsWith("unet.", StringComparison.Ordinal) && module.Contains(".attentions.", StringComparison.Ordinal))
            ? LoraKind.DomainAdapter : LoraKind.Lora;
    }

    private static WeightTensor Required(StateDict file, string module, Dictionary<LoraPart, WeightTensor> parts, LoraPart part)
        => parts.TryGetValue(part, out var tensor) ? tensor
            : throw new FileException(file.Path, $"{file.Path} lacks the {part.ToString().ToLowerInvariant()} matrix of '{module}'; the file is incomplete, get it again.");

    private static double Number(StateDict file, string module, WeightTensor tensor)
    {
        if (tensor.ElementCount != 1)
            throw new FileException(file.Path, $"{file.Path}: the alpha of '{module}' is not one number but has the shape [{string.Join(", ", tensor.Shape)}]; the file is damaged.");
        using var value = tensor.Read();
        using var number = value.to(ScalarType.Float64);
        return number.item<double>();
    }

    /// <summary>Alpha by module path, as PEFT's settings say: a pattern for single layers, one number for a component.</summary>
    private static Func<string, double?> PeftSettings(StateDict file, string json)
    {
        Dictionary<string, JsonElement> settings;
        try
        {
            settings = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(json) ?? [];
        }
        catch (JsonException error)
        {
            throw new FileException(file.Path, $"{file.Path} has {PeftMetadata} that is no JSON object ({error.Message}); without it the alphas are unknown, so get the file again.", error);
        }
        foreach (var (name, value) in settings)
            if ((name.EndsWith("use_dora", StringComparison.Ordinal) || name.EndsWith("use_rslora", StringComparison.Ordinal)) && value.ValueKind == JsonValueKind.True)
                throw new FileException(file.Path, $"{file.Path} was trained with PEFT's {name}, which is not plain LoRA; merge it into a checkpoint first.");
        return module =>
        {
            var component = module[..module.IndexOf('.')];
            if (settings.TryGetValue($"{component}.alpha_pattern", out var pattern) && pattern.ValueKind == JsonValueKind.Object
                && pattern.TryGetProperty(module[(component.Length + 1)..], out var own) && own.ValueKind == JsonValueKind.Number)
                return own.GetDouble();
            return settings.TryGetValue($"{component}.lora_alpha", out var alpha) && alpha.ValueKind == JsonValueKind.Number ? alpha.GetDouble() : null;
        };
    }
}
