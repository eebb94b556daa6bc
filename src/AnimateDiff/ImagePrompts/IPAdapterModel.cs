using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.ImagePrompts;

/// <summary>
/// An IP-Adapter (arXiv 2308.06721): makes tokens of a picture, and has keys and values for them in every cross-attention of a UNet, which adds its attention
/// to them to its attention to the text. Tensors are named as in the official files.
/// </summary>
internal sealed class IPAdapterModel : nn.Module
{
    private readonly nn.Module<Tensor, Tensor> image_proj;
    private readonly IPAdapterLayers ip_adapter;

    /// <summary>Whether it takes the states of patches instead of one vector.</summary>
    public bool TakesPatches => image_proj is Resampler;

    /// <param name="projection">Makes tokens.</param>
    /// <param name="width">Channels of a token.</param>
    /// <param name="channels">Channels of the UNet's cross-attentions, in the order of <see cref="UNetMotionModel.CrossAttentions"/>.</param>
    /// <param name="device">Where the weights are made.</param>
    public IPAdapterModel(nn.Module<Tensor, Tensor> projection, long width, IReadOnlyList<long> channels, Device? device = null) : base(nameof(IPAdapterModel))
    {
        image_proj = projection;
        ip_adapter = new IPAdapterLayers(width, channels, device);
        RegisterComponents();
    }

    /// <summary>Tokens of pictures, [B, tokens, width], from their vectors [B, P] or patches [B, L, D].</summary>
    public Tensor Tokens(Tensor seen) => image_proj.call(seen);

    /// <summary>What each cross-attention of a UNet attends to beside the text; the caller's to dispose.</summary>
    /// <param name="unet">The UNet.</param>
    /// <param name="tokens">[M, L, width]: the images of a UNet call are shared out among the M rows in order.</param>
    /// <param name="weights">Weight of the attention to them in each frame.</param>
    public IEnumerable<(Attention Layer, WeightedContext Pictures)> Project(UNetMotionModel unet, Tensor tokens, float[] weights)
    {
        foreach (var (layer, attention) in ip_adapter.All.Zip(unet.CrossAttentions))
            yield return (attention, new WeightedContext(attention.Split(layer.to_k_ip.call(tokens), layer.to_v_ip.call(tokens)), weights));
    }
}

/// <summary>Keys and values for every cross-attention, numbered as the files do.</summary>
internal sealed class IPAdapterLayers : nn.Module
{
    /// <summary>The layers in order.</summary>
    public IReadOnlyList<IPAdapterLayer> All { get; }

    public IPAdapterLayers(long width, IReadOnlyList<long> channels, Device? device) : base(nameof(IPAdapterLayers))
    {
        All = [.. channels.Select(own => new IPAdapterLayer(width, own, device))];
        RegisterComponents();
        foreach (var (index, layer) in All.Index())
            register_module(IPAdapterLayout.Number(index), layer);
    }
}

/// <summary>Keys and values for one cross-attention.</summary>
internal sealed class IPAdapterLayer : nn.Module
{
    public readonly Linear to_k_ip;
    public readonly Linear to_v_ip;

    public IPAdapterLayer(long width, long channels, Device? device) : base(nameof(IPAdapterLayer))
    {
        to_k_ip = new Linear(width, channels, hasBias: false, device);
        to_v_ip = new Linear(width, channels, hasBias: false, device);
        RegisterComponents();
    }
}
