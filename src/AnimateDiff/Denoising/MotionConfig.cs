using System.Text.Json.Serialization;
using AnimateDiff.Layers;
using AnimateDiff.Weights;

namespace AnimateDiff.Denoising;

/// <summary>
/// Shape of the motion modules: what diffusers keeps in a motion adapter's <c>config.json</c>, and which normalisations see all frames of a clip.
/// The defaults are AnimateDiff v3 as diffusers computes it.
/// </summary>
public sealed record MotionConfig
{
    /// <summary>Frames the position encoding of v1 reaches: its mark in a file.</summary>
    private const int FirstVersionFrames = 24;

    private static readonly Dictionary<string, string> BuiltOnlyAs = new()
    {
        ["conv_in_channels"] = "null",
        ["motion_mid_block_layers_per_block"] = "1",
        ["motion_transformer_layers_per_block"] = "1",
        ["motion_transformer_layers_per_mid_block"] = "1",
    };

    /// <summary>Channels of each level, those of the UNet.</summary>
    public IReadOnlyList<int> BlockOutChannels { get; init; } = [320, 640, 1280, 1280];

    /// <summary>Motion modules of a down block; an up block has one more.</summary>
    public int MotionLayersPerBlock { get; init; } = 2;

    /// <summary>Attention heads.</summary>
    public int MotionNumAttentionHeads { get; init; } = 8;

    /// <summary>Groups of the modules' group normalisation.</summary>
    public int MotionNormNumGroups { get; init; } = 32;

    /// <summary>Rows of the position encoding: the most frames a clip can have (24 in v1, 32 in v2 and v3).</summary>
    public int MotionMaxSeqLength { get; init; } = 32;

    /// <summary>Whether the middle block has a motion module (v2).</summary>
    public bool UseMotionMidBlock { get; init; }

    /// <summary>Whether the motion modules' own normalisation takes its statistics across the frames of a clip: diffusers does, the official code never does.</summary>
    [JsonIgnore]
    public bool MotionNormAcrossFrames { get; init; } = true;

    /// <summary>
    /// Whether the normalisations of the resnets and the last one take their statistics across the frames of a clip: the official code does for v1
    /// (<c>use_inflated_groupnorm: false</c>), diffusers never does.
    /// </summary>
    [JsonIgnore]
    public bool ResnetNormAcrossFrames { get; init; }

    /// <summary>Whether it is the first version (<c>mm_sd_v14</c>, <c>mm_sd_v15</c>): no module in the middle and a position encoding of 24 rows.</summary>
    [JsonIgnore]
    public bool IsFirstVersion => !UseMotionMidBlock && MotionMaxSeqLength == FirstVersionFrames;

    /// <summary>The same modules as the official AnimateDiff code computes them.</summary>
    public MotionConfig AsOfficial() => this with { MotionNormAcrossFrames = false, ResnetNormAcrossFrames = IsFirstVersion };

    /// <summary>The same modules as diffusers computes them.</summary>
    public MotionConfig AsDiffusers() => this with { MotionNormAcrossFrames = true, ResnetNormAcrossFrames = false };

    /// <summary>Reads a diffusers motion adapter's <c>config.json</c>; keys that change nothing here are skipped.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileException">It is missing, damaged, or describes an architecture that is not built.</exception>
    /// <exception cref="RequestException">Its values do not go together.</exception>
    public static MotionConfig Read(string path) => Parse(ModelConfigFile.Text(path, "motion adapter"), path);

    /// <summary>Reads the text of such a file.</summary>
    /// <param name="json">The text.</param>
    /// <param name="path">Where it comes from, for messages.</param>
    /// <exception cref="FileException">It is damaged, or describes an architecture that is not built.</exception>
    /// <exception cref="RequestException">Its values do not go together.</exception>
    public static MotionConfig Parse(string json, string path)
    {
        var config = ModelConfigFile.Parse<MotionConfig>(json, path, "motion adapter", BuiltOnlyAs);
        config.Validate();
        return config;
    }

    /// <summary>The configuration that the tensors of a motion module imply, for files that come without one. Heads and groups leave no trace: 8 and 32.</summary>
    /// <param name="weights">The tensors under diffusers' names.</param>
    /// <exception cref="FileException">They are not those of a motion module.</exception>
    public static MotionConfig FromWeights(StateDict weights)
    {
        var channels = new List<int>();
        while (weights.TryGetValue($"down_blocks.{channels.Count}.motion_modules.0.norm.weight", out var norm))
            channels.Add((int)norm.Shape[0]);
        if (channels.Count == 0)
            throw new FileException(weights.Path, $"{weights.Path} is not a motion module: it has no tensor 'down_blocks.0.motion_modules.0.norm.weight'.");
        var layers = 1;
        while (weights.ContainsKey($"down_blocks.0.motion_modules.{layers}.norm.weight"))
            layers++;
        var config = new MotionConfig
        {
            BlockOutChannels = channels,
            MotionLayersPerBlock = layers,
            UseMotionMidBlock = weights.Keys.Any(name => name.StartsWith("mid_block.", StringComparison.Ordinal)),
        };
        return weights.TryGetValue("down_blocks.0.motion_modules.0.transformer_blocks.0.pos_embed.pe", out var pe)
            ? config with { MotionMaxSeqLength = (int)pe.Shape[1] }
            : config;
    }

    /// <summary>Checks that the values go together.</summary>
    /// <exception cref="RequestException">They do not; names the setting and what is allowed.</exception>
    public void Validate()
    {
        ModelConfigFile.Require(MotionMaxSeqLength > 0, "motion_max_seq_length", MotionMaxSeqLength, "1 or more");
        ModelConfigFile.RequireMultiples(BlockOutChannels, MotionNumAttentionHeads, "motion_num_attention_heads");
        ModelConfigFile.RequireMultiples(BlockOutChannels, MotionNormNumGroups, "motion_norm_num_groups");
    }

    /// <summary>Checks that the modules fit an image UNet.</summary>
    internal void ValidateFor(UNetConfig unet)
    {
        Validate();
        var own = string.Join(", ", unet.BlockOutChannels);
        ModelConfigFile.Require(BlockOutChannels.SequenceEqual(unet.BlockOutChannels), "block_out_channels of the motion module", BlockOutChannels,
            $"those of the UNet, [{own}]: use a motion module made for this base model");
        ModelConfigFile.Require(MotionLayersPerBlock == unet.LayersPerBlock, "motion_layers_per_block", MotionLayersPerBlock,
            $"the UNet's layers_per_block ({unet.LayersPerBlock})");
    }
}
