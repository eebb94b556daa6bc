using AnimateDiff.Layers;

namespace AnimateDiff.Denoising;

/// <summary>Shape of the motion modules: what diffusers keeps in a motion adapter's <c>config.json</c>. The defaults are AnimateDiff v3.</summary>
public sealed record MotionConfig
{
    /// <summary>The values of <see cref="Temporal"/>.</summary>
    internal const string Attention = "attention", Convolution = "conv1d";

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

    /// <summary>
    /// What mixes the frames: <c>attention</c>, or <c>conv1d</c>, the paper's ablation. diffusers knows only the first and has no such key.
    /// </summary>
    public string Temporal { get; init; } = Attention;

    /// <summary>Whether a module has two self-attentions, as AnimateDiff's, or one, as SparseCtrl's: not a key of the file, since each is always so.</summary>
    internal bool HasSecondAttention { get; init; } = true;

    /// <summary>Whether the frames are mixed by 1-D convolutions.</summary>
    internal bool IsConvolution => Temporal == Convolution;

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

    /// <summary>Checks that the values go together.</summary>
    /// <exception cref="RequestException">They do not; names the setting and what is allowed.</exception>
    public void Validate()
    {
        ModelConfigFile.Require(Temporal is Attention or Convolution, "temporal", Temporal, $"{Attention} or {Convolution}");
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
