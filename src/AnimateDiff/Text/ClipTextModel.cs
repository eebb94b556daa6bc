using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Text;

/// <summary>CLIP's text model (Radford et al., 2021) under transformers' names.</summary>
internal sealed class ClipTextModel : nn.Module<Tensor, int, Tensor?, Tensor>
{
    private readonly ClipTextTransformer text_model;

    public ClipTextConfig Config { get; }

    /// <summary>Where its weights are, and token ids must be.</summary>
    public Device Device => text_model.Device;

    public ClipTextModel(ClipTextConfig config, Device? device = null) : base(nameof(ClipTextModel))
    {
        Config = config;
        text_model = new ClipTextTransformer(config, device);
        RegisterComponents();
    }

    /// <summary>Hidden states after the final norm, [B, L, D].</summary>
    /// <param name="ids">Token ids, [B, L], int64; ids from <see cref="ClipTextConfig.VocabSize"/> on are rows of <paramref name="added"/>.</param>
    /// <param name="clipSkip">Layers left out at the end, as diffusers counts: 0 uses all.</param>
    /// <param name="added">Vectors of textual inversions, [N, D], or null.</param>
    public override Tensor forward(Tensor ids, int clipSkip, Tensor? added) => text_model.call(ids, clipSkip, added);

    /// <summary>The state of each sequence's end token, [B, D].</summary>
    /// <param name="hidden">Hidden states without clip skip, [B, L, D].</param>
    /// <param name="ids">The ids they were made from, [B, L].</param>
    public Tensor Pool(Tensor hidden, Tensor ids)
    {
        using var scope = NewDisposeScope();
        var ends = ids.EqualTo(Config.PooledTokenId).to(ScalarType.Int32).argmax(1);   // [B]: the first of them
        return hidden[Scalars.Arange(hidden.shape[0], device: hidden.device), ends].MoveToOuterDisposeScope();
    }
}

internal sealed class ClipTextTransformer : nn.Module<Tensor, int, Tensor?, Tensor>
{
    private readonly ClipTextEmbeddings embeddings;
    private readonly ClipEncoder encoder;
    private readonly LayerNorm final_layer_norm;

    public Device Device => final_layer_norm.weight.device;

    public ClipTextTransformer(ClipTextConfig config, Device? device) : base(nameof(ClipTextTransformer))
    {
        embeddings = new ClipTextEmbeddings(config, device);
        encoder = new ClipEncoder(config.NumHiddenLayers, config.LayerShape, device);
        final_layer_norm = nn.LayerNorm(config.HiddenSize, config.LayerNormEps, device: device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor ids, int clipSkip, Tensor? added)
    {
        using var scope = NewDisposeScope();
        var hidden = encoder.call(embeddings.call(ids, added), clipSkip);
        return final_layer_norm.call(hidden).MoveToOuterDisposeScope();
    }
}

/// <summary>Token and position embeddings.</summary>
internal sealed class ClipTextEmbeddings : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly Embedding token_embedding;
    private readonly Embedding position_embedding;
    private readonly int _vocabulary;

    public ClipTextEmbeddings(ClipTextConfig config, Device? device) : base(nameof(ClipTextEmbeddings))
    {
        _vocabulary = config.VocabSize;
        token_embedding = nn.Embedding(config.VocabSize, config.HiddenSize, device: device);
        position_embedding = nn.Embedding(config.MaxPositionEmbeddings, config.HiddenSize, device: device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor ids, Tensor? added)   // [B, L], [N, D]
    {
        var positions = position_embedding.call(Scalars.Arange(ids.shape[1], device: ids.device));   // [L, D]
        if (added is null)
            return token_embedding.call(ids).Add(positions);
        using Scalar zero = 0.ToScalar(), last = (_vocabulary - 1).ToScalar(), firstAdded = _vocabulary.ToScalar();
        var own = token_embedding.call(ids.clamp(max: last));                                        // [B, L, D]
        var foreign = added[(ids - firstAdded).clamp(min: zero)].to(own.dtype);                      // [B, L, D]
        return where(ids.ge(firstAdded).unsqueeze(2), foreign, own).Add(positions);
    }
}
