using AnimateDiff.Layers;

namespace AnimateDiff.Denoising;

/// <summary>Whose keys and values the self-attention of the image layers sees.</summary>
internal enum FrameAttention
{
    /// <summary>Each frame its own, as every image model does.</summary>
    Own,

    /// <summary>Every frame those of the clip's first (Text2Video-Zero: Khachatryan et al. 2023, arXiv 2303.13439, §3.3.2).</summary>
    First,

    /// <summary>Every frame those of the clip's first and of the one before it (sparse-causal attention of Tune-A-Video: Wu et al. 2023, arXiv 2212.11565, §4.1).</summary>
    FirstAndFormer,
}

/// <summary>Self-attention of the images of some clips, [B·F, L, C], with the keys and values of other frames.</summary>
/// <param name="Kind">Whose they are.</param>
/// <param name="Clips">B</param>
internal sealed record FrameKeys(FrameAttention Kind, long Clips)
{
    /// <param name="attention">The layer.</param>
    /// <param name="tokens">[B·F, L, C]</param>
    public Tensor Attend(Attention attention, Tensor tokens)
    {
        if (Kind == FrameAttention.Own)
            return attention.call(tokens, null);
        using var scope = NewDisposeScope();
        var context = Kind == FrameAttention.First
            ? attention.Project(tokens.unflatten(0, Clips, -1).select(1, 0))                                 // B rows, each for the queries of F images
            : WithFormer(attention.Project(tokens));
        return attention.call(tokens, context).MoveToOuterDisposeScope();
    }

    private KeyValue WithFormer(KeyValue own)
    {
        var frames = own.Key.shape[0] / Clips;
        long[] Rows(Func<long, long> frameOf) => [.. Enumerable.Range(0, (int)(Clips * frames)).Select(row => row / frames * frames + frameOf(row % frames))];
        using var first = tensor(Rows(_ => 0), device: own.Key.device);
        using var former = tensor(Rows(frame => Math.Max(frame - 1, 0)), device: own.Key.device);
        Tensor Join(Tensor all) => cat([all.index_select(0, first), all.index_select(0, former)], 2);        // [B·F, heads, 2·L, D]
        return new KeyValue(Join(own.Key), Join(own.Value));
    }
}
