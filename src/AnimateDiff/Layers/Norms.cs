using TorchSharp.Modules;

namespace AnimateDiff.Layers;

/// <summary>Group normalisation whose weights are initialised (TorchSharp 0.107 leaves those of <c>nn.GroupNorm</c> as garbage), of images or of clips.</summary>
internal static class Norms
{
    // libtorch's channels-last kernel takes the variance as E[x²] − E[x]² in fp32. With few places, a group is a handful of values that may be nearly equal,
    // and that difference is noise; the other kernel (Welford's) is exact there, and reordering so little costs nothing.
    private const long FewPlaces = 64;

    public static GroupNorm GroupNorm(long groups, long channels, double eps, Device? device = null)
    {
#pragma warning disable RS0030 // the one place that may
        var norm = nn.GroupNorm(groups, channels, eps, device: device);
#pragma warning restore RS0030
        nn.init.ones_(norm.weight);
        nn.init.zeros_(norm.bias!);
        return norm;
    }

    /// <summary>
    /// Normalises [N, C, H, W] with one set of statistics for every N / <paramref name="sets"/> consecutive images: N sets are images for themselves,
    /// as many sets as clips are statistics across the frames of each clip.
    /// </summary>
    public static Tensor Over(this GroupNorm norm, Tensor images, long sets)
    {
        using var scope = NewDisposeScope();
        var (n, c, h, w) = (images.shape[0], images.shape[1], images.shape[2], images.shape[3]);
        var places = n / sets * h * w;
        var stacked = images.permute(0, 2, 3, 1).reshape(sets, places, c).transpose(1, 2);                   // [sets, C, places], a view
        // Nor can that kernel differentiate by the weights alone: it writes the gradient of an input that wants none, and crashes (libtorch 2.10).
        var weightsOnly = is_grad_enabled() && norm.weight.requires_grad && !images.requires_grad;
        var normed = places <= FewPlaces || weightsOnly
            ? norm.call(stacked.contiguous())
            : norm.call(stacked.unsqueeze(2)).squeeze(2);                                                   // 4-D, channels last
        return normed.transpose(1, 2).reshape(n, h, w, c).permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }
}
