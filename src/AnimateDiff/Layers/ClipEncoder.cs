using TorchSharp.Modules;

namespace AnimateDiff.Layers;

/// <summary>Shape of a CLIP tower's layers; the text's and the pictures' differ in these alone.</summary>
/// <param name="Width">Channels of a token.</param>
/// <param name="Inner">Channels inside the feed-forward part.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="Activation"><c>quick_gelu</c> or <c>gelu</c>.</param>
/// <param name="Eps">Of the layer norms.</param>
/// <param name="Causal">Whether a token sees only itself and the ones before it.</param>
internal readonly record struct ClipLayerShape(int Width, int Inner, int Heads, string Activation, double Eps, bool Causal);

/// <summary>The layers of a CLIP tower.</summary>
internal sealed class ClipEncoder : nn.Module<Tensor, int, Tensor>
{
    private readonly ModuleList<ClipEncoderLayer> layers;

    public ClipEncoder(int count, ClipLayerShape shape, Device? device) : base(nameof(ClipEncoder))
    {
        layers = new ModuleList<ClipEncoderLayer>([.. Enumerable.Range(0, count).Select(_ => new ClipEncoderLayer(shape, device))]);
        RegisterComponents();
    }

    /// <param name="hidden">[B, L, D]</param>
    /// <param name="skip">Layers left out at the end.</param>
    public override Tensor forward(Tensor hidden, int skip)
    {
        foreach (var layer in layers.Take(layers.Count - skip))
            hidden = layer.call(hidden);
        return hidden;
    }
}

/// <summary>A pre-norm transformer layer.</summary>
internal sealed class ClipEncoderLayer : nn.Module<Tensor, Tensor>
{
    private readonly ClipAttention self_attn;
    private readonly LayerNorm layer_norm1;
    private readonly ClipMlp mlp;
    private readonly LayerNorm layer_norm2;

    public ClipEncoderLayer(ClipLayerShape shape, Device? device) : base(nameof(ClipEncoderLayer))
    {
        self_attn = new ClipAttention(shape, device);
        layer_norm1 = nn.LayerNorm(shape.Width, shape.Eps, device: device);
        mlp = new ClipMlp(shape, device);
        layer_norm2 = nn.LayerNorm(shape.Width, shape.Eps, device: device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor hidden)   // [B, L, D]
    {
        using var scope = NewDisposeScope();
        var attended = hidden.Add(self_attn.call(layer_norm1.call(hidden)));
        return attended.Add(mlp.call(layer_norm2.call(attended))).MoveToOuterDisposeScope();
    }
}

/// <summary>Self-attention.</summary>
internal sealed class ClipAttention : nn.Module<Tensor, Tensor>
{
    private readonly Linear k_proj;
    private readonly Linear v_proj;
    private readonly Linear q_proj;
    private readonly Linear out_proj;
    private readonly int _heads;
    private readonly bool _causal;

    public ClipAttention(ClipLayerShape shape, Device? device) : base(nameof(ClipAttention))
    {
        var width = shape.Width;
        (_heads, _causal) = (shape.Heads, shape.Causal);
        k_proj = new Linear(width, width, device: device);
        v_proj = new Linear(width, width, device: device);
        q_proj = new Linear(width, width, device: device);
        out_proj = new Linear(width, width, device: device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor hidden)   // [B, L, D]
    {
        Tensor Heads(Tensor tokens) => tokens.unflatten(2, _heads, -1).transpose(1, 2);   // [B, L, D] → [B, heads, L, D/heads]
        var attended = nn.functional.scaled_dot_product_attention(
            Heads(q_proj.call(hidden)), Heads(k_proj.call(hidden)), Heads(v_proj.call(hidden)), is_casual: _causal);
        return out_proj.call(attended.transpose(1, 2).flatten(2));                        // [B, heads, L, D/heads] → [B, L, D]
    }
}

/// <summary>The feed-forward part of a layer.</summary>
internal sealed class ClipMlp : nn.Module<Tensor, Tensor>
{
    private readonly Linear fc1;
    private readonly Linear fc2;
    private readonly bool _quick;

    public ClipMlp(ClipLayerShape shape, Device? device) : base(nameof(ClipMlp))
    {
        _quick = shape.Activation == "quick_gelu";
        fc1 = new Linear(shape.Width, shape.Inner, device: device);
        fc2 = new Linear(shape.Inner, shape.Width, device: device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor hidden)   // [B, L, D]
    {
        var wide = fc1.call(hidden);
        return fc2.call(_quick ? wide * wide.Times(1.702).sigmoid() : nn.functional.gelu(wide));
    }
}
