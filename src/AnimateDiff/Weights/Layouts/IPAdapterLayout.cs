namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// IP-Adapters' one layout: <c>image_proj.*</c> makes tokens of a picture, <c>ip_adapter.N.to_k_ip</c> and <c>to_v_ip</c> their keys and values for one
/// cross-attention. N counts all attention layers of the image UNet, down, up, middle: those to the text have the odd numbers.
/// </summary>
internal static class IPAdapterLayout
{
    private const string Projection = "image_proj.";

    /// <summary>The number that a UNet's cross-attention has in the names.</summary>
    /// <param name="index">Its place among them, from 0.</param>
    public static string Number(int index) => $"{2 * index + 1}";

    /// <summary>Width of the tokens, or null where the file does not say.</summary>
    public static long? Width(StateDict file) => Keys(file).FirstOrDefault()?.Size(1);

    /// <summary>What the names and shapes say.</summary>
    public static IPAdapterTraits Traits(StateDict file)
    {
        long? Size(string name, int dimension) => file.TryGetValue(Projection + name, out var tensor) && tensor.Shape.Count > dimension ? tensor.Shape[dimension] : null;
        var width = Width(file);
        long? Tokens(string last) => width is > 0 ? Size(last, 0) / width : null;
        var (variant, tokens) =
            Size("latents", 1) is { } queries ? (IPAdapterVariant.Plus, queries)
            : Size("proj.weight", 0) is not null ? (IPAdapterVariant.Plain, Tokens("proj.weight"))
            : Size("proj.3.weight", 0) is not null ? (IPAdapterVariant.Full, null)
            : (IPAdapterVariant.FaceId, Tokens("proj.2.weight"));
        return new IPAdapterTraits(variant, (int?)tokens, Keys(file).Count());
    }

    private static IEnumerable<WeightTensor> Keys(StateDict file)
        => file.Where(entry => entry.Key.EndsWith(".to_k_ip.weight", StringComparison.Ordinal)).Select(entry => entry.Value);
}
