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
    /// <param name="beside">Its keys and values: M rows among which the queries of the whole batch are shared out in order.</param>
    public void Add(Attention layer, WeightedContext beside) => layers[layer] = layers[layer] with { Beside = [.. layers[layer].Beside, beside] };

    public void Dispose()
    {
        foreach (var (key, value) in layers.Values.SelectMany(own => own.Beside.Select(beside => beside.Context).Append(own)))
        {
            key.Dispose();
            value.Dispose();
        }
    }
}
