using AnimateDiff.Layers;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Denoising;

/// <summary>Shape of an image UNet: what diffusers keeps in <c>unet/config.json</c>. The defaults are Stable Diffusion 1.5.</summary>
public sealed record UNetConfig
{
    // Keys that would change the architecture, with the one value that is built: a model with another value is refused, not built wrongly.
    private static readonly Dictionary<string, string> BuiltOnlyAs = new()
    {
        ["act_fn"] = "\"silu\"",
        ["addition_embed_type"] = "null",
        ["attention_type"] = "\"default\"",
        ["center_input_sample"] = "false",
        ["class_embed_type"] = "null",
        ["conv_in_kernel"] = "3",
        ["conv_out_kernel"] = "3",
        ["cross_attention_norm"] = "null",
        ["downsample_padding"] = "1",
        ["dual_cross_attention"] = "false",
        ["encoder_hid_dim"] = "null",
        ["encoder_hid_dim_type"] = "null",
        ["mid_block_only_cross_attention"] = "null",
        ["mid_block_scale_factor"] = "1",
        ["mid_block_type"] = "\"UNetMidBlock2DCrossAttn\"",
        ["num_class_embeds"] = "null",
        ["only_cross_attention"] = "false",
        ["resnet_out_scale_factor"] = "1.0",
        ["resnet_skip_time_act"] = "false",
        ["resnet_time_scale_shift"] = "\"default\"",
        ["time_cond_proj_dim"] = "null",
        ["time_embedding_act_fn"] = "null",
        ["time_embedding_dim"] = "null",
        ["time_embedding_type"] = "\"positional\"",
        ["timestep_post_act"] = "null",
        ["transformer_layers_per_block"] = "1",
        ["use_linear_projection"] = "false",
    };

    /// <summary>Channels of the noisy latents (9 in inpainting models).</summary>
    public int InChannels { get; init; } = 4;

    /// <summary>Channels of the prediction.</summary>
    public int OutChannels { get; init; } = 4;

    /// <summary>Latent height and width the model was trained at (64 for 512 pixels): the default size of a generation.</summary>
    public int SampleSize { get; init; } = 64;

    /// <summary>Channels of each level, outermost first.</summary>
    public IReadOnlyList<int> BlockOutChannels { get; init; } = [320, 640, 1280, 1280];

    /// <summary>Down blocks, outermost first: <c>CrossAttnDownBlock2D</c> or <c>DownBlock2D</c>.</summary>
    public IReadOnlyList<string> DownBlockTypes { get; init; } = ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"];

    /// <summary>Up blocks, innermost first: <c>UpBlock2D</c> or <c>CrossAttnUpBlock2D</c>.</summary>
    public IReadOnlyList<string> UpBlockTypes { get; init; } = ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"];

    /// <summary>Resnets of a down block; an up block has one more.</summary>
    public int LayersPerBlock { get; init; } = 2;

    /// <summary>Channels of the text embeddings.</summary>
    public int CrossAttentionDim { get; init; } = 768;

    /// <summary>The <em>number</em> of attention heads: Stable Diffusion 1.x configurations have it under this name.</summary>
    public int AttentionHeadDim { get; init; } = 8;

    /// <summary>The number of heads where a newer configuration states it; else null, and <see cref="AttentionHeadDim"/> is that number.</summary>
    public int? NumAttentionHeads { get; init; }

    /// <summary>Groups of every group normalisation.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>ε of the resnets' normalisations and of the last one.</summary>
    public double NormEps { get; init; } = 1e-5;

    /// <summary>Offset of the frequencies of the time embedding.</summary>
    public double FreqShift { get; init; }

    /// <summary>Whether the time embedding has cosines first.</summary>
    public bool FlipSinToCos { get; init; } = true;

    /// <summary>Whether the transformer blocks attend along the frames too, as Tune-A-Video's do: the block types of its files end in 3D.</summary>
    internal bool TemporalAttention { get; init; }

    /// <summary>Number of attention heads.</summary>
    internal int Heads => NumAttentionHeads ?? AttentionHeadDim;

    /// <summary>Channels of the time embedding.</summary>
    internal int TimeChannels => 4 * BlockOutChannels[0];

    /// <summary>Reads diffusers' <c>unet/config.json</c>; keys that change nothing here are skipped.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileException">It is missing, damaged, or describes an architecture that is not built.</exception>
    /// <exception cref="RequestException">Its values do not go together.</exception>
    public static UNetConfig Read(string path) => Parse(ModelConfigFile.Text(path, "UNet"), path);

    /// <summary>Reads the text of such a file.</summary>
    /// <param name="json">The text.</param>
    /// <param name="path">Where it comes from, for messages.</param>
    /// <exception cref="FileException">It is damaged, or describes an architecture that is not built.</exception>
    /// <exception cref="RequestException">Its values do not go together.</exception>
    public static UNetConfig Parse(string json, string path)
    {
        var config = ModelConfigFile.Parse<UNetConfig>(TuneAVideoLayout.AsImageConfig(json), path, "UNet", BuiltOnlyAs) with { TemporalAttention = TuneAVideoLayout.Matches(json) };
        config.Validate();
        return config;
    }

    /// <summary>Checks that the values go together.</summary>
    /// <exception cref="RequestException">They do not; names the setting and what is allowed.</exception>
    public void Validate()
    {
        var levels = BlockOutChannels.Count;
        var fits = DownBlockTypes.Count == levels && UpBlockTypes.Count == levels;
        ModelConfigFile.Require(fits, "block_out_channels", BlockOutChannels, "as long as down_block_types and up_block_types");
        ModelConfigFile.Require(LayersPerBlock > 0, "layers_per_block", LayersPerBlock, "1 or more");
        foreach (var type in DownBlockTypes)
            ModelConfigFile.Require(type is "CrossAttnDownBlock2D" or "DownBlock2D", "down_block_types", type, "CrossAttnDownBlock2D or DownBlock2D");
        foreach (var type in UpBlockTypes)
            ModelConfigFile.Require(type is "CrossAttnUpBlock2D" or "UpBlock2D", "up_block_types", type, "CrossAttnUpBlock2D or UpBlock2D");
        ModelConfigFile.RequireMultiples(BlockOutChannels, NormNumGroups, "norm_num_groups");
        ModelConfigFile.RequireMultiples(BlockOutChannels, Heads, "the number of attention heads");
    }
}
