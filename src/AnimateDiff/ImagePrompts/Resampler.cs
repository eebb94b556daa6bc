using AnimateDiff.Layers;
using TorchSharp.Modules;
using TorchSharp.Utils;

namespace AnimateDiff.ImagePrompts;

/// <summary>
/// The states of a picture's patches as a few tokens: learned queries attend to the patches and to each other, layer after layer
/// (Perceiver, arXiv 2103.03206, as in Flamingo's resampler, arXiv 2204.14198).
/// </summary>
internal sealed class Resampler : nn.Module<Tensor, Tensor>, IOwnParameter
{
    private Parameter latents;
    private readonly Linear proj_in;
    private readonly Linear proj_out;
    private readonly LayerNorm norm_out;
    private readonly ModuleList<ResamplerLayer> layers;

    /// <param name="inputs">D, channels of a patch's state.</param>
    /// <param name="shape">Of the layers.</param>
    /// <param name="width">Channels of a token.</param>
    /// <param name="device">Where the weights are made.</param>
    public Resampler(long inputs, ResamplerShape shape, long width, Device? device = null) : base(nameof(Resampler))
    {
        latents = new Parameter(zeros(1, shape.Tokens, shape.Channels, device: device));
        proj_in = new Linear(inputs, shape.Channels, device: device);
        proj_out = new Linear(shape.Channels, width, device: device);
        norm_out = nn.LayerNorm(width, device: device);
        layers = new([.. Enumerable.Range(0, shape.Layers).Select(_ => new ResamplerLayer(shape, device))]);
        RegisterComponents();
    }

    public string ParameterName => nameof(latents);

    public void SetParameter(Parameter value)
    {
        latents.Dispose();
        latents = (Parameter)value.DetachFromDisposeScope();
        ConditionallyRegisterParameter(nameof(latents), latents);
    }

    /// <param name="patches">[B, L, D]</param>
    /// <returns>[B, tokens, width]</returns>
    public override Tensor forward(Tensor patches)
    {
        using var scope = NewDisposeScope();
        var seen = proj_in.call(patches);                                                                    // [B, L, C]
        var queries = latents.expand(patches.shape[0], -1, -1);                                              // [B, tokens, C]
        foreach (var layer in layers)
            queries = layer.call(seen, queries);
        return norm_out.call(proj_out.call(queries)).MoveToOuterDisposeScope();
    }
}

/// <summary>Shape of a <see cref="Resampler"/>.</summary>
/// <param name="Tokens">Queries.</param>
/// <param name="Channels">C, of a query.</param>
/// <param name="Inner">Channels of all attention heads together.</param>
/// <param name="Layers">Number of layers.</param>
/// <param name="FeedForward">Channels inside the feed-forward layers.</param>
internal readonly record struct ResamplerShape(int Tokens, long Channels, long Inner, int Layers, long FeedForward)
{
    /// <summary>Channels of one attention head: the same in every IP-Adapter.</summary>
    public const long HeadSize = 64;
}

/// <summary>Attention of the queries, then a feed-forward layer; each is added to what it started from.</summary>
internal sealed class ResamplerLayer : nn.Module<Tensor, Tensor, Tensor>
{
    [ComponentName(Name = "0")]
    private readonly ResamplerAttention _attention;
    [ComponentName(Name = "1")]
    private readonly ResamplerFeedForward _feedForward;

    public ResamplerLayer(ResamplerShape shape, Device? device) : base(nameof(ResamplerLayer))
    {
        _attention = new(shape, device);
        _feedForward = new(shape, device);
        RegisterComponents();
    }

    /// <param name="seen">[B, L, C]</param>
    /// <param name="queries">[B, tokens, C]</param>
    public override Tensor forward(Tensor seen, Tensor queries)
    {
        using var scope = NewDisposeScope();
        var attended = _attention.call(seen, queries).Add(queries);
        return _feedForward.call(attended).Add(attended).MoveToOuterDisposeScope();
    }
}

/// <summary>Queries attend to patches and queries alike.</summary>
internal sealed class ResamplerAttention : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly LayerNorm norm1;
    private readonly LayerNorm norm2;
    private readonly Linear to_q;
    private readonly Linear to_kv;
    private readonly Linear to_out;

    public ResamplerAttention(ResamplerShape shape, Device? device) : base(nameof(ResamplerAttention))
    {
        norm1 = nn.LayerNorm(shape.Channels, device: device);
        norm2 = nn.LayerNorm(shape.Channels, device: device);
        to_q = new Linear(shape.Channels, shape.Inner, hasBias: false, device);
        to_kv = new Linear(shape.Channels, 2 * shape.Inner, hasBias: false, device);
        to_out = new Linear(shape.Inner, shape.Channels, hasBias: false, device);
        RegisterComponents();
    }

    /// <param name="seen">[B, L, C]</param>
    /// <param name="queries">[B, tokens, C]</param>
    public override Tensor forward(Tensor seen, Tensor queries)
    {
        using var scope = NewDisposeScope();
        var own = norm2.call(queries);
        var keysAndValues = to_kv.call(cat([norm1.call(seen), own], 1)).chunk(2, -1);                        // [B, L + tokens, inner] each
        var mixed = nn.functional.scaled_dot_product_attention(Heads(to_q.call(own)), Heads(keysAndValues[0]), Heads(keysAndValues[1]));
        return to_out.call(mixed.transpose(1, 2).flatten(2)).MoveToOuterDisposeScope();                      // [B, heads, tokens, D] → [B, tokens, C]
    }

    private static Tensor Heads(Tensor tokens) => tokens.unflatten(2, -1, ResamplerShape.HeadSize).transpose(1, 2);   // [B, L, inner] → [B, heads, L, D]
}

/// <summary>A norm and two linear layers with a GELU between.</summary>
internal sealed class ResamplerFeedForward : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "0")]
    private readonly LayerNorm _norm;
    [ComponentName(Name = "1")]
    private readonly Linear _widen;
    [ComponentName(Name = "3")]
    private readonly Linear _narrow;

    public ResamplerFeedForward(ResamplerShape shape, Device? device) : base(nameof(ResamplerFeedForward))
    {
        _norm = nn.LayerNorm(shape.Channels, device: device);
        _widen = new Linear(shape.Channels, shape.FeedForward, hasBias: false, device);
        _narrow = new Linear(shape.FeedForward, shape.Channels, hasBias: false, device);
        RegisterComponents();
    }

    /// <param name="tokens">[B, tokens, C]</param>
    public override Tensor forward(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        return _narrow.call(nn.functional.gelu(_widen.call(_norm.call(tokens)))).MoveToOuterDisposeScope();
    }
}
