using AnimateDiff.Weights;

namespace AnimateDiff.Lora;

/// <summary>What a set of low-rank matrices was trained for.</summary>
public enum LoraKind
{
    /// <summary>The domain adapter of AnimateDiff v3: self- and cross-attention of the image layers.</summary>
    DomainAdapter,

    /// <summary>A MotionLoRA: self-attention of the motion modules.</summary>
    MotionLora,

    /// <summary>Any other LoRA, usually for the look: image layers and text encoder.</summary>
    Lora,
}

/// <summary>The low-rank change of one layer: <c>W + scale · Scale · Up · Down</c>.</summary>
/// <param name="Down">First matrix, <c>[r, in]</c>, or <c>[r, in, kh, kw]</c> of a convolution.</param>
/// <param name="Up">Second matrix, <c>[out, r]</c>, or <c>[out, r, 1, 1]</c> of a convolution.</param>
/// <param name="Scale">alpha / rank; 1 for official AnimateDiff files, which have no alpha.</param>
public sealed record LoraLayer(WeightTensor Down, WeightTensor Up, double Scale);

/// <summary>The low-rank layers of one file by the path of the layer they change.</summary>
/// <param name="path">File they come from, for messages and for the order of addition.</param>
/// <param name="kind">What they were trained for.</param>
/// <param name="layers">The layers by module path, prefixed with <c>unet.</c> or <c>text_encoder.</c>.</param>
public sealed class LoraWeights(string path, LoraKind kind, IReadOnlyDictionary<string, LoraLayer> layers)
{
    /// <summary>File they come from.</summary>
    public string Path { get; } = path;

    /// <summary>What they were trained for.</summary>
    public LoraKind Kind { get; } = kind;

    /// <summary>The layers by module path, such as <c>unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q</c>.</summary>
    public IReadOnlyDictionary<string, LoraLayer> Layers { get; } = layers;
}
