using AnimateDiff.Layers;

namespace AnimateDiff.Denoising;

/// <summary>
/// Keys and values of the text for every cross-attention of one UNet. They depend neither on the step nor on the frame, so a generation makes them once
/// (<see cref="UNetMotionModel.Prepare"/>) and disposes them at its end. Make them anew when the weights of a cross-attention change.
/// </summary>
internal sealed class TextContext(long rows, Dictionary<Attention, KeyValue> layers) : IDisposable
{
    private readonly Dictionary<Attention, KeyValue> _layers = layers;

    /// <summary>Rows of the embeddings: one per clip, or one per frame.</summary>
    public long Rows => rows;

    /// <summary>Keys and values for one layer.</summary>
    public KeyValue For(Attention layer) => _layers[layer];

    /// <summary>As many rows for one layer alone, with its own keys and values.</summary>
    public TextContext With(Attention layer, KeyValue own) => new(rows, new Dictionary<Attention, KeyValue> { [layer] = own });

    /// <summary>Adds what a layer attends to beside the text, and is this context's from then on.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="beside">Its keys and values: one row for everything, or one for each half with guidance.</param>
    public void Add(Attention layer, WeightedContext beside) => _layers[layer] = _layers[layer] with { Beside = [.. _layers[layer].Beside, beside] };

    /// <summary>Takes over keys and values of the same text that were made with other weights; what there is beside the text stays.</summary>
    public void Renew(TextContext made)
    {
        foreach (var (layer, fresh) in made._layers)
        {
            var (key, value) = _layers[layer];
            key.Dispose();
            value.Dispose();
            _layers[layer] = fresh with { Beside = _layers[layer].Beside };
        }
    }

    /// <summary>The last <paramref name="count"/> rows alone: with guidance, half of them are the positive prompts'.</summary>
    public TextContext Last(long count) => Each(count, tensor => tensor.narrow(0, rows - count, count), beside =>
        beside.Part(tensor => Math.Max(1, tensor.shape[0] * count / rows) is var own ? tensor.narrow(0, tensor.shape[0] - own, own) : tensor, beside.Weights));

    /// <summary>The text of some frames of each clip: where there is one row per frame, those frames' rows.</summary>
    /// <param name="chosen">The frames; null for all.</param>
    /// <param name="clips">Clips there are.</param>
    /// <param name="frames">Frames of each there are.</param>
    public TextContext Of(long[]? chosen, long clips, long frames)
    {
        if (chosen is null)
            return Each(rows, tensor => tensor.alias(), beside => beside.Part(tensor => tensor.alias(), beside.Weights));
        using var index = tensor(Enumerable.Range(0, (int)clips).SelectMany(clip => chosen.Select(frame => clip * frames + frame)).ToArray(), device: _layers.Values.First().Key.device);
        return Each(rows == clips ? rows : clips * chosen.Length, tensor => rows == clips ? tensor.alias() : tensor.index_select(0, index),
            beside => beside.Part(tensor => tensor.alias(), [.. chosen.Select(frame => beside.Weights[frame])]));
    }

    private TextContext Each(long count, Func<Tensor, Tensor> part, Func<WeightedContext, WeightedContext> besides) => new(count, _layers.ToDictionary(layer => layer.Key,
        layer => new KeyValue(part(layer.Value.Key), part(layer.Value.Value)) { Beside = [.. layer.Value.Beside.Select(besides)] }));

    public void Dispose()
    {
        foreach (var (key, value) in _layers.Values.SelectMany(own => own.Beside.Select(beside => beside.Context).Append(own)))
        {
            key.Dispose();
            value.Dispose();
        }
    }
}
