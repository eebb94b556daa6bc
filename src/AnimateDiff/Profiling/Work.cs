namespace AnimateDiff.Profiling;

/// <summary>What a model spends its time on. Each moment counts once: a layer's time is without that of the layers inside it.</summary>
internal enum Kind
{
    /// <summary>2-D convolutions.</summary>
    Convolution,

    /// <summary>Linear layers, those of attentions and feed-forward layers among them.</summary>
    Linear,

    /// <summary>Attention within an image without its linear layers: products and softmax, and putting heads together.</summary>
    SpatialAttention,

    /// <summary>The same from an image to the text, and to pictures beside it.</summary>
    TextAttention,

    /// <summary>The same along the frames; convolutions along them where a motion module has those.</summary>
    TemporalAttention,

    /// <summary>Group and layer normalisations.</summary>
    Norm,

    /// <summary>Everything else: activations, sums, copies, resizing.</summary>
    Rest,
}

/// <summary>How much was done.</summary>
/// <param name="Calls">Layers that were called.</param>
/// <param name="Seconds">How long they took.</param>
/// <param name="Flop">Their multiplications and additions, each counted as one, from shapes; none of <see cref="Kind.Norm"/> and <see cref="Kind.Rest"/> are counted.</param>
internal readonly record struct Work(long Calls, double Seconds, double Flop)
{
    /// <summary>10⁹ operations a second.</summary>
    public double GigaflopPerSecond => Seconds > 0 ? Flop / Seconds / 1e9 : 0;

    /// <summary>Both together.</summary>
    public static Work operator +(Work x, Work y) => new(x.Calls + y.Calls, x.Seconds + y.Seconds, x.Flop + y.Flop);
}
