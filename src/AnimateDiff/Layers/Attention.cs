using TorchSharp.Modules;

namespace AnimateDiff.Layers;

/// <summary>Keys and values, split into heads: [M, heads, L, D] each. M is one row per clip, or per frame.</summary>
internal readonly record struct KeyValue(Tensor Key, Tensor Value)
{
    /// <summary>What else the queries attend to, apart from these, such as the tokens of a picture.</summary>
    public IReadOnlyList<WeightedContext> Beside { get; init; } = [];
}

/// <summary>Keys and values whose attention is added to another with a weight.</summary>
/// <param name="Context">One row for all queries, or one for each half of them with guidance.</param>
/// <param name="Weights">One weight for each frame of a clip.</param>
internal sealed record WeightedContext(KeyValue Context, float[] Weights) : IDisposable
{
    /// <summary>A share of the rows, for that share of the queries; one row is for all.</summary>
    public WeightedContext Slice(long first, long count, long of) => new(Part(tensor =>
        tensor.narrow(0, tensor.shape[0] * first / of, Math.Max(1, tensor.shape[0] * count / of))), Weights);

    /// <summary>For some of the frames; null for all.</summary>
    public WeightedContext Of(long[]? frames) => new(Part(tensor => tensor.alias()), frames is null ? Weights : [.. frames.Select(frame => Weights[frame])]);

    /// <summary>An attention, [B·F, L, C], with each frame's weight.</summary>
    public Tensor Weigh(Tensor attended)
    {
        using var scope = NewDisposeScope();
        if (Weights.All(weight => weight == Weights[0]))
            return attended.Times(Weights[0]).MoveToOuterDisposeScope();
        var weights = tensor(Weights, attended.dtype, attended.device).repeat(attended.shape[0] / Weights.Length).view(-1, 1, 1);
        return (attended * weights).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        Context.Key.Dispose();
        Context.Value.Dispose();
    }

    private KeyValue Part(Func<Tensor, Tensor> part) => new(part(Context.Key), part(Context.Value));
}

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

    /// <summary>Channels of the queries, keys, values and result.</summary>
    public long Channels => to_out[0].weight.shape[0];

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

    /// <summary>Makes the result zero, as the training of a layer that is added to a trained model starts.</summary>
    public void ZeroInitialise()
    {
        nn.init.zeros_(to_out[0].weight);
        nn.init.zeros_(to_out[0].bias!);
    }

    /// <summary>Keys and values of a context [M, L, D], for any number of calls.</summary>
    public KeyValue Project(Tensor context)
        => Split(to_k.call(context), to_v.call(context));

    /// <summary>Keys and values, [M, L, C] each, that other layers have projected; both are let go of.</summary>
    public KeyValue Split(Tensor key, Tensor value) => new(key.Then(SplitHeads), value.Then(SplitHeads));

    /// <param name="tokens">[N, L, C] or [N, L, S, C].</param>
    /// <param name="context">What to attend to, or null for the tokens themselves. The N·L queries are shared out among its M rows in order.</param>
    public override Tensor forward(Tensor tokens, KeyValue? context)
    {
        using var scope = NewDisposeScope();
        if (IsIdentity)
            return to_v.call(tokens).Then(to_out[0].call).MoveToOuterDisposeScope();
        var query = to_q.call(tokens);
        if (context is { } other)
        {
            var joined = Attend(query, other).reshape(tokens.shape);
            foreach (var beside in other.Beside)
                joined = joined.Plus(beside.Weigh(Attend(query, beside.Context).reshape(tokens.shape)));
            return to_out[0].call(joined).MoveToOuterDisposeScope();
        }
        var (key, value) = Project(tokens);
        var own = Mix(SplitHeads(query), key, value).reshape(tokens.shape);
        key.Dispose();
        value.Dispose();
        return to_out[0].call(own).MoveToOuterDisposeScope();
    }

    // [N, L, C] → [M, N·L/M, heads, D]
    private Tensor Attend(Tensor query, KeyValue context)
    {
        var split = query.view(context.Key.shape[0], -1, context.Key.shape[1], _headSize).transpose(1, 2);
        return Mix(split, context.Key, context.Value);
    }

    // [N, heads, L, D] → [N, L, heads, D]
    private static Tensor Mix(Tensor query, Tensor key, Tensor value) => FlashAttention.Takes(query, key)
        ? FlashAttention.Attend(query, key, value)
        : nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2);

    // [N, L, C] → [N, heads, L, D]; [N, L, S, C] → [N, S·heads, L, D], since places and heads are neighbours in memory
    private Tensor SplitHeads(Tensor projected)
    {
        using var split = projected.view(projected.shape[0], projected.shape[1], -1, _headSize);
        return split.transpose(1, 2);
    }
}
