using AnimateDiff.Vae;

namespace AnimateDiff.Estimates;

/// <summary>What decoding a picture costs, followed through the decoder's levels.</summary>
internal static class VaeCost
{
    /// <summary>The cost for one picture.</summary>
    /// <param name="vae">Shape of the VAE.</param>
    /// <param name="height">Height of the picture.</param>
    /// <param name="width">Width of the picture.</param>
    public static CallCost Decode(VaeConfig vae, int height, int width)
    {
        var channels = vae.BlockOutChannels;
        var (last, products, most) = (channels.Count - 1, 0.0, 0.0);
        double Places(int level) => (double)height * width / Math.Pow(4, level);
        void Resnet(double inputs, double outputs, double places)
        {
            products += (9 * (inputs + outputs) * outputs + (inputs == outputs ? 0 : inputs * outputs)) * places;
            most = Math.Max(most, (2 * inputs + 2 * outputs) * places);                                      // with and without normalisation, convolved, and the shortcut
        }

        var (deepest, few) = (channels[last], Places(last));
        Resnet(deepest, deepest, few);
        Resnet(deepest, deepest, few);
        products += (4.0 * deepest + 2 * few) * deepest * few;                                               // attention
        for (var level = last; level >= 0; level--)
        {
            for (var layer = 0; layer <= vae.LayersPerBlock; layer++)
                Resnet(layer == 0 ? channels[Math.Min(last, level + 1)] : channels[level], channels[level], Places(level));
            if (level > 0)
            {
                products += 9.0 * channels[level] * channels[level] * Places(level - 1);
                most = Math.Max(most, 2.25 * channels[level] * Places(level - 1));                           // small, repeated, convolved
            }
        }
        products += 9.0 * channels[0] * vae.OutChannels * Places(0);
        return new CallCost(2 * products, most, 0);
    }
}
