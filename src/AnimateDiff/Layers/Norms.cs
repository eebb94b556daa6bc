using TorchSharp.Modules;

namespace AnimateDiff.Layers;

/// <summary>Group normalisation whose weights are initialised: TorchSharp 0.107 leaves those of <c>nn.GroupNorm</c> as garbage.</summary>
internal static class Norms
{
    public static GroupNorm GroupNorm(long groups, long channels, double eps, Device? device = null)
    {
#pragma warning disable RS0030 // the one place that may
        var norm = nn.GroupNorm(groups, channels, eps, device: device);
#pragma warning restore RS0030
        nn.init.ones_(norm.weight);
        nn.init.zeros_(norm.bias!);
        return norm;
    }
}
