using TorchSharp.Modules;

namespace AnimateDiff.Text;

/// <summary>A pre-norm transformer layer whose tokens see the ones before them.</summary>
internal sealed class ClipEncoderLayer : nn.Module<Tensor, Tensor>
{
    private readonly ClipAttention self_attn;
    private readonly LayerNorm layer_norm1;
    private readonly ClipMlp mlp;
    private readonly LayerNorm layer_norm2;

    public ClipEncoderLayer(ClipTextConfig config, Device? device) : base(nameof(ClipEncoderLayer))
    {
        self_attn = new ClipAttention(config, device);
        layer_norm1 = nn.LayerNorm(config.HiddenSize, config.LayerNormEps, device: device);
        mlp = new ClipMlp(config, device);
        layer_norm2 = nn.LayerNorm(config.HiddenSize, config.LayerNormEps, device: device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor hidden)   // [B, L, D]
    {
        using var scope = NewDisposeScope();
        var attended = hidden.Add(self_attn.call(layer_norm1.call(hidden)));
        return attended.Add(mlp.call(layer_norm2.call(attended))).MoveToOuterDisposeScope();
    }
}

/// <summary>Causal self-attention; a token sees itself and the ones before it.</summary>
internal sealed class ClipAttention : nn.Module<Tensor, Tensor>
{
    private readonly Linear k_proj;
    private readonly Linear v_proj;
    private readonly Linear q_proj;
    private readonly Linear out_proj;
    private readonly int _heads;

    public ClipAttention(ClipTextConfig config, Device? device) : base(nameof(ClipAttention))
    {
        var width = config.HiddenSize;
        _heads = config.NumAttentionHeads;
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
            Heads(q_proj.call(hidden)), Heads(k_proj.call(hidden)), Heads(v_proj.call(hidden)), is_casual: true);
        return out_proj.call(attended.transpose(1, 2).flatten(2));                        // [B, heads, L, D/heads] → [B, L, D]
    }
}

/// <summary>The feed-forward part of a layer.</summary>
internal sealed class ClipMlp : nn.Module<Tensor, Tensor>
{
    private readonly Linear fc1;
    private readonly Linear fc2;
    private readonly bool _quick;

    public ClipMlp(ClipTextConfig config, Device? device) : base(nameof(ClipMlp))
    {
        _quick = config.HiddenAct == "quick_gelu";
        fc1 = new Linear(config.HiddenSize, config.IntermediateSize, device: device);
        fc2 = new Linear(config.IntermediateSize, config.HiddenSize, device: device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor hidden)   // [B, L, D]
    {
        var wide = fc1.call(hidden);
        return fc2.call(_quick ? wide * wide.Times(1.702).sigmoid() : nn.functional.gelu(wide));
    }
}
