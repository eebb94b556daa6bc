using System.Text.Json;
using AnimateDiff.Layers;

namespace AnimateDiff.Vision;

/// <summary>Sizes of a CLIP vision model, as in its <c>config.json</c>; the defaults are transformers'.</summary>
internal sealed record ClipVisionConfig
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public int HiddenSize { get; init; } = 768;
    public int IntermediateSize { get; init; } = 3072;
    public int ProjectionDim { get; init; } = 512;
    public int NumHiddenLayers { get; init; } = 12;
    public int NumAttentionHeads { get; init; } = 12;
    public int NumChannels { get; init; } = 3;
    public int ImageSize { get; init; } = 224;
    public int PatchSize { get; init; } = 32;
    public string HiddenAct { get; init; } = "quick_gelu";
    public double LayerNormEps { get; init; } = 1e-5;

    /// <summary>Of its layers.</summary>
    public ClipLayerShape LayerShape => new(HiddenSize, IntermediateSize, NumAttentionHeads, HiddenAct, LayerNormEps, Causal: false);

    /// <summary>Reads the configuration of a vision model, or of a whole CLIP model, of which it takes that part.</summary>
    /// <param name="json">The text.</param>
    /// <param name="path">Where it comes from, for messages.</param>
    /// <exception cref="FileException">The text is damaged or describes a model that this one cannot be.</exception>
    public static ClipVisionConfig Parse(string json, string path)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement.TryGetProperty("vision_config", out var nested) ? nested : document.RootElement;
            var config = root.Deserialize<ClipVisionConfig>(Json) ?? throw new JsonException("it is null");
            return config.Problem() is { } problem ? throw new FileException(path, $"{path} describes no CLIP vision model that can be built: {problem}.") : config;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            var reason = error.Message.TrimEnd('.');
            throw new FileException(path, $"{path} cannot be read as a CLIP vision model's configuration: {reason}; copy it again from the model it belongs to.", error);
        }
    }

    private string? Problem()
    {
        int[] sizes = [HiddenSize, IntermediateSize, ProjectionDim, NumHiddenLayers, NumAttentionHeads, ImageSize, PatchSize];
        return sizes.Min() < 1 ? "a size in it is below 1"
            : NumChannels != 3 ? $"num_channels is {NumChannels}, expected 3"
            : HiddenSize % NumAttentionHeads != 0 ? $"hidden_size {HiddenSize} is not a multiple of num_attention_heads {NumAttentionHeads}"
            : PatchSize > ImageSize ? $"patch_size {PatchSize} is larger than image_size {ImageSize}"
            : HiddenAct is not ("quick_gelu" or "gelu") ? $"hidden_act is '{HiddenAct}', expected 'quick_gelu' or 'gelu'"
            : null;
    }
}
