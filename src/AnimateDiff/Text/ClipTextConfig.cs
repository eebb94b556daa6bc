using System.Text.Json;
using AnimateDiff.Layers;

namespace AnimateDiff.Text;

/// <summary>Sizes of a CLIP text model, as in its <c>config.json</c>; the defaults are openai/clip-vit-large-patch14's, the one in Stable Diffusion 1.5.</summary>
internal sealed record ClipTextConfig
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public int VocabSize { get; init; } = 49408;
    public int HiddenSize { get; init; } = 768;
    public int IntermediateSize { get; init; } = 3072;
    public int NumHiddenLayers { get; init; } = 12;
    public int NumAttentionHeads { get; init; } = 12;
    public int MaxPositionEmbeddings { get; init; } = 77;
    public string HiddenAct { get; init; } = "quick_gelu";
    public double LayerNormEps { get; init; } = 1e-5;
    public int EosTokenId { get; init; } = 2;

    /// <summary>The id whose state is the pooled output. Files from before transformers 4.30 say 2 and mean the vocabulary's last id.</summary>
    public int PooledTokenId => EosTokenId == 2 ? VocabSize - 1 : EosTokenId;

    /// <summary>Of its layers.</summary>
    public ClipLayerShape LayerShape => new(HiddenSize, IntermediateSize, NumAttentionHeads, HiddenAct, LayerNormEps, Causal: true);

    /// <exception cref="FileException">The file is missing, damaged or describes a model that this one cannot be.</exception>
    public static ClipTextConfig Read(string path) => File.Exists(path) ? Parse(File.ReadAllText(path), path)
        : throw new FileException(path, $"{path} does not exist; it describes the text encoder and belongs beside its weights.");

    /// <exception cref="FileException">The text is damaged or describes a model that this one cannot be.</exception>
    public static ClipTextConfig Parse(string json, string path)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement.TryGetProperty("text_config", out var nested) ? nested : document.RootElement;   // of a whole CLIP model
            var config = root.Deserialize<ClipTextConfig>(Json) ?? throw new JsonException("it is null");
            return config.Problem() is { } problem ? throw new FileException(path, $"{path} describes no CLIP text model that can be built: {problem}.") : config;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            var reason = error.Message.TrimEnd('.');
            throw new FileException(path, $"{path} cannot be read as a CLIP text model's configuration: {reason}; copy it again from the model it belongs to.", error);
        }
    }

    private string? Problem()
    {
        int[] sizes = [VocabSize, HiddenSize, IntermediateSize, NumHiddenLayers, NumAttentionHeads, MaxPositionEmbeddings];
        return sizes.Min() < 1 ? "a size in it is below 1"
            : HiddenSize % NumAttentionHeads != 0 ? $"hidden_size {HiddenSize} is not a multiple of num_attention_heads {NumAttentionHeads}"
            : HiddenAct is not ("quick_gelu" or "gelu") ? $"hidden_act is '{HiddenAct}', expected 'quick_gelu' or 'gelu'"
            : null;
    }
}
