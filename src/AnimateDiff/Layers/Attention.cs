using TorchSharp.Modules;

namespace AnimateDiff.Layers;

/// <summary>Keys and values, split into heads: [M, heads, L, D] each. M is one row per clip, or per frame.</summary>
internal readonly record struct KeyValue(Tensor Key, Tensor Value);

/// <summary>
/// Multi-head attention along dimension 1 of its input; every later dimension but the last is another batch dimension.
/// So [N, L, C] is attention among L tokens, and [B, F, H·W, C] is attention along the frames at each place, both without moving a byte.
/// </summary>
internal sealed class Attention : nn.Module<Tensor, KeyValue?, Tensor>
{
    private readonly Linear to_q;
    private readonly Linear to_k;
    private readonly Linear to_v;
    private readonly ModuleList<Linear> to_out;
    private readonly long _headSize;

    /// <summary>Whether every token attends to itself alone, which is what perturbed-attention guidance leads away from; for self-attention.</summary>
    public bool IsIdentity { get; set; }

    /// <param name="channels">Channels of the queries and of the result.</param>
    /// <param name="heads">Number of heads; divides the channels.</param>
    /// <param name="contextChannels">Channels of what keys and values come from; the input's own by default.</param>
    /// <param name="device">Where the weights are made.</param>
    public Attention(long channels, long heads, long? contextChannels = null, Device? device = null) : base(nameof(Attention))
    {
        _headSize = channels / heads;
        to_q = new Linear(channels, channels, hasBias: false, device);
        to_k = new Linear(contextChannels ?? channels, channels, hasBias: false, device);
        to_v = new Linear(contextChannels ?? channels, channels, hasBias: false, device);
        to_out = new(new Linear(channels, channels, device: device));
        RegisterComponents();
    }

    /// <summary>Keys and values of a context [M, L, D], for any number of calls.</summary>
    public KeyValue Project(Tensor context)
        => new(to_k.call(context).Then(SplitHeads), to_v.call(context).Then(SplitHeads));

    /// <param name="tokens">[N, L, C] or [N, L, S, C].</param>
    /// <param name="context">What to attend to, or null for the tokens themselves. The N·L queries are shared out among its M rows in order.</param>
    public override Tensor forward(Tensor tokens, KeyValue? context)
    {
        using var scope = NewDisposeScope();
        if (IsIdentity)
            return to_v.call(tokens).Then(to_out[0].call).MoveToOuterDisposeScope();
        var query = to_q.call(tokens);
        var (key, value) = context ?? Project(tokens);
        query = context is null ? SplitHeads(query) : query.view(key.shape[0], -1, key.shape[1], _headSize).transpose(1, 2);
        var mixed = nn.functional.scaled_dot_product_attention(query, key, value);                           // [M, heads, N·L/M, D]
        var joined = mixed.transpose(1, 2).reshape(tokens.shape);
        if (context is null)
        {
            key.Dispose();
            value.Dispose();
        }
        return to_out[0].call(joined).MoveToOuterDisposeScope();
    }

    // [N, L, C] → [N, heads, L, D]; [N, L, S, C] → [N, S·heads, L, D], since places and heads are neighbours in memory
    private Tensor SplitHeads(Tensor projected)
    {
        using var split = projected.view(projected.shape[0], projected.shape[1], -1, _headSize);
        return split.transpose(1, 2);
    }
}
