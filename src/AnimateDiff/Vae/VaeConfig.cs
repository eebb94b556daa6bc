using AnimateDiff.Layers;

namespace AnimateDiff.Vae;

/// <summary>Shape of the autoencoder: what diffusers keeps in <c>vae/config.json</c>. The defaults are Stable Diffusion 1.5.</summary>
public sealed record VaeConfig
{
    private static readonly Dictionary<string, string> BuiltOnlyAs = new()
    {
        ["act_fn"] = "\"silu\"",
        ["latents_mean"] = "null",
        ["latents_std"] = "null",
        ["mid_block_add_attention"] = "true",
        ["shift_factor"] = "null",
        ["use_post_quant_conv"] = "true",
        ["use_quant_conv"] = "true",
    };

    /// <summary>Channels of the images that are encoded.</summary>
    public int InChannels { get; init; } = 3;

    /// <summary>Channels of the images that are decoded.</summary>
    public int OutChannels { get; init; } = 3;

    /// <summary>Channels of the latents.</summary>
    public int LatentChannels { get; init; } = 4;

    /// <summary>Channels of each level, outermost first; every level but the last halves the size.</summary>
    public IReadOnlyList<int> BlockOutChannels { get; init; } = [128, 256, 512, 512];

    /// <summary>Resnets of an encoder level; a decoder level has one more.</summary>
    public int LayersPerBlock { get; init; } = 2;

    /// <summary>Groups of every group normalisation.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>Latents are multiplied by it for the UNet, so that they have about unit variance.</summary>
    public double ScalingFactor { get; init; } = 0.18215;

    /// <summary>Pixels along an edge of an image for one latent.</summary>
    public int PixelsPerLatent => 1 << (BlockOutChannels.Count - 1);

    /// <summary>Reads diffusers' <c>vae/config.json</c>; keys that change nothing here are skipped.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileException">It is missing, damaged, or describes an architecture that is not built.</exception>
    /// <exception cref="RequestException">Its values do not go together.</exception>
    public static VaeConfig Read(string path) => Parse(ModelConfigFile.Text(path, "VAE"), path);

    /// <summary>Reads the text of such a file.</summary>
    /// <param name="json">The text.</param>
    /// <param name="path">Where it comes from, for messages.</param>
    /// <exception cref="FileException">It is damaged, or describes an architecture that is not built.</exception>
    /// <exception cref="RequestException">Its values do not go together.</exception>
    public static VaeConfig Parse(string json, string path)
    {
        var config = ModelConfigFile.Parse<VaeConfig>(json, path, "VAE", BuiltOnlyAs);
        config.Validate();
        return config;
    }

    /// <summary>Checks that the values go together.</summary>
    /// <exception cref="RequestException">They do not; names the setting and what is allowed.</exception>
    public void Validate()
    {
        ModelConfigFile.RequireMultiples(BlockOutChannels, NormNumGroups, "norm_num_groups");
        ModelConfigFile.Require(LayersPerBlock > 0, "layers_per_block", LayersPerBlock, "1 or more");
        ModelConfigFile.Require(ScalingFactor > 0, "scaling_factor", ScalingFactor, "above 0");
    }
}
