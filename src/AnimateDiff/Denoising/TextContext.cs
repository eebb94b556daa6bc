using AnimateDiff.Layers;

namespace AnimateDiff.Denoising;

/// <summary>
/// Keys and values of the text for every cross-attention of one UNet. They depend neither on the step nor on the frame, so a generation makes them once
/// (<see cref="UNetMotionModel.Prepare"/>) and disposes them at its end. Make them anew when the weights of a cross-attention change.
/// </summary>
internal sealed class TextContext(long rows, Dictionary<Attention, KeyValue> layers) : IDisposable
{
    /// <summary>Rows of the embeddings: one per clip, or one per frame.</summary>
    public long Rows => rows;

    /// <summary>Keys and values for one layer.</summary>
    public KeyValue For(Attention layer) => layers[layer];

    /// <summary>As many rows for one layer alone, with its own keys and values.</summary>
    public TextContext With(Attention layer, KeyValue own) => new(rows, new Dictionary<Attention, KeyValue> { [layer] = own });

    /// <summary>Adds what a layer attends to beside the text, and is this context's from then on.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="beside">Its keys and values: one row for everything, or one for each half with guidance.</param>
    public void Add(Attention layer, WeightedContext beside) => layers[layer] = layers[layer] with { Beside = [.. layers[layer].Beside, beside] };

    /// <summary>Rows from <paramref name="first"/> on alone: with guidance, half of them are the positive prompts'.</summary>
    public TextContext Slice(long first, long count) => Each(count, tensor => tensor.narrow(0, first, count), beside => beside.Slice(first, count, rows));

    /// <summary>What one layer attends to in a piece of the images.</summary>
    public TextContext Of(Attention layer, Piece piece)
    {
        var all = layers[layer];
        long[] frames = [.. Enumerable.Range((int)piece.Frame, (int)piece.Count).Select(frame => (long)frame)];
        return With(layer, new KeyValue(piece.Rows(all.Key), piece.Rows(all.Value)) { Beside = [.. all.Beside.Select(beside => beside.Slice(piece.Clip, 1, piece.Clips).Of(frames))] });
    }

    /// <summary>The text of some frames of each clip: where there is one row per frame, those frames' rows.</summary>
    /// <param name="chosen">The frames; null for all.</param>
    /// <param name="clips">Clips there are.</param>
    /// <param name="frames">Frames of each there are.</param>
    public TextContext Of(long[]? chosen, long clips, long frames)
    {
        if (chosen is null || rows == clips)
            return Each(rows, tensor => tensor.alias(), beside => beside.Of(chosen));
        using var index = tensor(Enumerable.Range(0, (int)clips).SelectMany(clip => chosen.Select(frame => clip * frames + frame)).ToArray(), device: layers.Values.First().Key.device);
        return Each(clips * chosen.Length, tensor => tensor.index_select(0, index), beside => beside.Of(chosen));
    }

    private TextContext Each(long count, Func<Tensor, Tensor> part, Func<WeightedContext, WeightedContext> besides) => new(count, layers.ToDictionary(layer => layer.Key,
        layer => new KeyValue(part(layer.Value.Key), part(layer.Value.Value)) { Beside = [.. layer.Value.Beside.Select(besides)] }));

    public void Dispose()
    {
        foreach (var (key, value) in layers.Values.SelectMany(own => own.Beside.Select(beside => beside.Context).Append(own)))
        {
            key.Dispose();
            value.Dispose();
        }
    }
}
