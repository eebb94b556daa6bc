using System.Text.Json.Serialization;
using AnimateDiff.Denoising;
using AnimateDiff.Layers;

namespace AnimateDiff.Control;

/// <summary>
/// Shape of a ControlNet or a SparseCtrl encoder: what diffusers keeps in its <c>config.json</c>. The defaults are the ControlNets of Stable Diffusion 1.5.
/// </summary>
internal sealed record ControlConfig
{
    private static readonly Dictionary<string, string> BuiltOnlyAs = new()
    {
        ["act_fn"] = "\"silu\"",
        ["addition_embed_type"] = "null",
        ["class_embed_type"] = "null",
        ["controlnet_conditioning_channel_order"] = "\"rgb\"",
        ["downsample_padding"] = "1",
        ["encoder_hid_dim"] = "null",
        ["encoder_hid_dim_type"] = "null",
        ["global_pool_conditions"] = "false",
        ["mid_block_scale_factor"] = "1",
        ["mid_block_type"] = "\"UNetMidBlock2DCrossAttn\"",
        ["num_class_embeds"] = "null",
        ["only_cross_attention"] = "false",
        ["resnet_time_scale_shift"] = "\"default\"",
        ["temporal_transformer_layers_per_block"] = "1",
        ["transformer_layers_per_block"] = "1",
        ["use_linear_projection"] = "false",
    };

    /// <summary>The image layers, which are the way down of such a UNet; their values stand in the file beside those here.</summary>
    [JsonIgnore]
    public UNetConfig UNet { get; init; } = new();
    /// <summary>Channels of the condition: 3 of a picture, 4 of latents.</summary>
    public int ConditioningChannels { get; init; } = 3;
    /// <summary>Channels of the layers that bring pictures to the size of latents, outermost first.</summary>
    public IReadOnlyList<int> ConditioningEmbeddingOutChannels { get; init; } = [16, 32, 96, 256];
    /// <summary>SparseCtrl: the condition has a mask of the frames that have one as a further channel.</summary>
    public bool ConcatConditioningMask { get; init; } = true;
    /// <summary>SparseCtrl: the condition is latents, and one convolution takes them.</summary>
    public bool UseSimplifiedConditionEmbedding { get; init; }
    /// <summary>SparseCtrl: rows of the position encoding, the most frames a clip can have.</summary>
    public int MotionMaxSeqLength { get; init; } = 32;
    /// <summary>SparseCtrl: heads of the attention along the frames.</summary>
    public int MotionNumAttentionHeads { get; init; } = 8;

    /// <summary>The motion modules of SparseCtrl: one self-attention each, and none in the middle block.</summary>
    public MotionConfig SparseMotion => new()
    {
        BlockOutChannels = UNet.BlockOutChannels,
        MotionLayersPerBlock = UNet.LayersPerBlock,
        MotionNumAttentionHeads = MotionNumAttentionHeads,
        MotionNormNumGroups = UNet.NormNumGroups,
        MotionMaxSeqLength = MotionMaxSeqLength,
        HasSecondAttention = false,
    };

    /// <summary>Reads the text of a <c>config.json</c>.</summary>
    /// <param name="json">The text.</param>
    /// <param name="path">Where it comes from, for messages.</param>
    /// <exception cref="FileException">It is damaged, or describes an architecture that is not built.</exception>
    /// <exception cref="RequestException">Its values do not go together.</exception>
    public static ControlConfig Parse(string json, string path)
    {
        var config = ModelConfigFile.Parse<ControlConfig>(json, path, "ControlNet", BuiltOnlyAs);
        var unet = ModelConfigFile.Parse<UNetConfig>(json, path, "ControlNet", BuiltOnlyAs);
        string[] down = [.. unet.DownBlockTypes.Select(type => type.Replace("Motion", "2D"))];               // SparseCtrl's names
        unet = unet with { DownBlockTypes = down, UpBlockTypes = [.. down.Reverse().Select(type => type.Replace("Down", "Up"))] };
        unet.Validate();
        return config with { UNet = unet };
    }
}
