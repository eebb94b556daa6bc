using System.Text.Json.Nodes;
using AnimateDiff.Lora;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>
/// LoRAs between the official, diffusers' and kohya's layouts. No matrix is ever changed: alphas are tensors in kohya's layout and PEFT's settings in the metadata of diffusers',
/// and the official layout, which knows no alpha, takes only what is applied at full scale.
/// </summary>
internal static class LoraConversion
{
    private const string AlphaType = "animatediff.alpha_dtype";

    /// <summary>Writes a LoRA in another layout.</summary>
    public static IReadOnlyList<string> Convert(string input, ModelKind kind, ConversionTarget to, CheckpointWriter writer)
    {
        using var file = ModelFolder.Open(input);
        var lora = LoraTensors.Read(file);
        if (to != ConversionTarget.Diffusers)
            RefuseWithout(input, lora, to);

        // What names alone say is written as the files that people have are written: diffusers' mirrors of the official LoRAs keep their processor names.
        var fullScale = lora.Layers.Values.All(layer => layer.Scale == 1);
        var official = lora.Kind != LoraKind.Lora && fullScale && lora.Layers.Keys.All(module => module.StartsWith("unet.", StringComparison.Ordinal));
        var metadata = new Dictionary<string, string>();
        if (lora.Kind == LoraKind.DomainAdapter && (to == ConversionTarget.Kohya || (to == ConversionTarget.Diffusers && !official)))
            metadata[LoraTensors.KindMetadata] = nameof(LoraKind.DomainAdapter);
        if (to == ConversionTarget.Diffusers && !official && lora.Layers.Values.Any(layer => layer.Alpha is not null))
        {
            metadata[LoraTensors.PeftMetadata] = PeftSettings(lora).ToJsonString();
            metadata[AlphaType] = TypeOfAlphas(lora).ToString();
        }

        Func<LoraName, string> name = to switch
        {
            ConversionTarget.Official => ProcessorLoraLayout.Official,
            ConversionTarget.Kohya => part => KohyaLoraLayout.Format(part, sdxl: kind.Family == ModelFamily.StableDiffusionXL),
            _ => official ? ProcessorLoraLayout.Mirror : DiffusersLoraLayout.Format,
        };
        var tensors = new Dictionary<string, WeightTensor>();
        foreach (var (module, layer) in lora.Layers)
        {
            tensors.Add(name(new LoraName(module, LoraPart.Down)), layer.Down);
            tensors.Add(name(new LoraName(module, LoraPart.Up)), layer.Up);
            if (to == ConversionTarget.Kohya && layer.Alpha is { } alpha)
                tensors.Add(name(new LoraName(module, LoraPart.Alpha)), Scalar(alpha, TypeOfAlphas(lora)));
        }
        writer.WriteFile(new StateDict(input, tensors), metadata, keepType: static tensor => tensor.EndsWith(".alpha", StringComparison.Ordinal));

        var notes = new List<string>();
        if (metadata.ContainsKey(LoraTensors.PeftMetadata))
            notes.Add("The alphas are kept in the metadata (lora_adapter_metadata), where diffusers and this program read them; older programs take the rank for alpha.");
        if (official && to != ConversionTarget.Kohya && lora.Layers.Values.Any(layer => layer.Alpha is not null))
            notes.Add("The alphas equal the ranks and are left out, which changes nothing.");
        return notes;
    }

    private static void RefuseWithout(string input, LoraTensors lora, ConversionTarget to)
    {
        if (to == ConversionTarget.Kohya)
        {
            if (lora.Kind == LoraKind.MotionLora || lora.Layers.Keys.Any(module => module.Contains(".motion_modules.", StringComparison.Ordinal)))
                throw new RequestException($"{input} is a MotionLoRA, and programs that read kohya's layout have no motion modules to put it on; convert it to diffusers or official.");
            return;
        }
        if (lora.Kind == LoraKind.Lora)
            throw new RequestException($"{input} is a LoRA for the look, and the official layout is for domain adapters and MotionLoRAs; the official code reads kohya's layout for these.");
        if (lora.Layers.FirstOrDefault(layer => layer.Value.Scale != 1) is { Key: { } scaled, Value: var layer })
            throw new RequestException(
                $"{input} scales '{scaled}' by alpha / rank = {layer.Alpha} / {layer.Rank}, and the official layout always scales by 1; its matrices would have to change, so it is not converted.");
    }

    /// <summary>What PEFT needs to know beside the matrices: the commonest rank and alpha of each component, and a pattern for the layers that differ.</summary>
    private static JsonObject PeftSettings(LoraTensors lora)
    {
        var settings = new JsonObject();
        foreach (var component in lora.Layers.GroupBy(layer => layer.Key[..layer.Key.IndexOf('.')]))
        {
            var layers = component.ToDictionary(layer => layer.Key[(component.Key.Length + 1)..], layer => (layer.Value.Rank, Alpha: layer.Value.Alpha ?? layer.Value.Rank));
            var rank = Commonest(layers.Values.Select(layer => layer.Rank));
            var alpha = Commonest(layers.Values.Select(layer => layer.Alpha));
            settings[$"{component.Key}.r"] = rank;
            settings[$"{component.Key}.lora_alpha"] = alpha;
            settings[$"{component.Key}.rank_pattern"] = Pattern(layers.Where(layer => layer.Value.Rank != rank).Select(layer => (layer.Key, (JsonNode)layer.Value.Rank)));
            settings[$"{component.Key}.alpha_pattern"] = Pattern(layers.Where(layer => layer.Value.Alpha != alpha).Select(layer => (layer.Key, (JsonNode)layer.Value.Alpha)));
            settings[$"{component.Key}.target_modules"] = new JsonArray([.. layers.Keys.Select(module => (JsonNode)module)]);
        }
        return settings;
    }

    private static JsonObject Pattern(IEnumerable<(string Module, JsonNode Value)> layers) => new(layers.Select(layer => KeyValuePair.Create(layer.Module, (JsonNode?)layer.Value)));

    private static T Commonest<T>(IEnumerable<T> values) => values.GroupBy(value => value).MaxBy(group => group.Count())!.Key;

    private static ScalarType TypeOfAlphas(LoraTensors lora)
        => lora.AlphaType ?? (lora.File.Metadata.TryGetValue(AlphaType, out var name) && Enum.TryParse<ScalarType>(name, out var type) ? type : lora.Layers.Values.First().Down.DType);

    private static WeightTensor Scalar(double value, ScalarType type) => new(type, [], () =>
    {
        using var number = tensor(value, ScalarType.Float64);
        return number.to(type, copy: true);
    });
}
