namespace AnimateDiff.Configs;

/// <summary>An official <c>configs/inference/*.yaml</c>: null where it is silent, and then the loaded motion module decides.</summary>
public sealed record OfficialInference
{
    /// <summary><c>use_inflated_groupnorm</c>: resnet norms per frame (v2, v3) instead of across frames (v1).</summary>
    public bool? UseInflatedGroupNorm { get; init; }

    /// <summary>The motion module's shape.</summary>
    public OfficialMotionModule Motion { get; init; } = new();

    /// <summary><c>num_train_timesteps</c>.</summary>
    public int? TrainTimesteps { get; init; }

    /// <summary><c>beta_start</c>.</summary>
    public double? BetaStart { get; init; }

    /// <summary><c>beta_end</c>.</summary>
    public double? BetaEnd { get; init; }

    /// <summary><c>beta_schedule</c>: <c>linear</c>, <c>scaled_linear</c> or <c>squaredcos_cap_v2</c>.</summary>
    public string? BetaSchedule { get; init; }

    /// <summary><c>steps_offset</c>.</summary>
    public int? StepsOffset { get; init; }

    /// <summary><c>clip_sample</c>.</summary>
    public bool? ClipSample { get; init; }

    /// <summary><c>set_alpha_to_one</c>.</summary>
    public bool? SetAlphaToOne { get; init; }

    /// <summary><c>prediction_type</c>: <c>epsilon</c>, <c>v_prediction</c> or <c>sample</c>.</summary>
    public string? PredictionType { get; init; }

    /// <summary>Reads such a file.</summary>
    /// <exception cref="FileException">The file is missing or is no YAML.</exception>
    /// <exception cref="RequestException">A key is unknown or a value has the wrong type.</exception>
    public static OfficialInference Load(string path)
    {
        var root = new YamlSection(path, YamlSection.LoadRoot(path), "the file");
        var unet = root.Section("unet_additional_kwargs");
        var noise = root.Section("noise_scheduler_kwargs");
        root.Close();
        // Left from before the motion modules; in older files of the official repository, and always off.
        foreach (var key in new[] { "unet_use_cross_frame_attention", "unet_use_temporal_attention" })
            if (unet?.Flag(key) == true)
                throw unet.Error(key, "true is not supported, expected false");
        var inference = new OfficialInference
        {
            UseInflatedGroupNorm = unet?.Flag("use_inflated_groupnorm"),
            Motion = OfficialMotionModule.Read(unet),
            TrainTimesteps = noise?.Count("num_train_timesteps"),
            BetaStart = noise?.Number("beta_start"),
            BetaEnd = noise?.Number("beta_end"),
            BetaSchedule = OneOf(noise, "beta_schedule", "linear", "scaled_linear", "squaredcos_cap_v2"),
            StepsOffset = noise?.Count("steps_offset", least: 0),
            ClipSample = noise?.Flag("clip_sample"),
            SetAlphaToOne = noise?.Flag("set_alpha_to_one"),
            PredictionType = OneOf(noise, "prediction_type", "epsilon", "v_prediction", "sample"),
        };
        unet?.Close();
        noise?.Close();
        return inference;
    }

    internal static string? OneOf(YamlSection? section, string key, params string[] values)
    {
        var value = section?.Text(key);
        return value is null || values.Contains(value) ? value
            : throw section!.Error(key, $"“{value}” is not supported, expected {string.Join(" or ", values)}{Nearest.Hint(value, values)}");
    }
}

/// <summary>The motion module's keys, which UNet and SparseCtrl configurations share; null where the file is silent.</summary>
public sealed record OfficialMotionModule
{
    /// <summary><c>use_motion_module</c>.</summary>
    public bool? Use { get; init; }

    /// <summary><c>motion_module_mid_block</c>: a motion module in the middle block (v2).</summary>
    public bool? MidBlock { get; init; }

    /// <summary><c>motion_module_decoder_only</c>.</summary>
    public bool? DecoderOnly { get; init; }

    /// <summary><c>motion_module_resolutions</c>: down-sampling factors with motion modules.</summary>
    public IReadOnlyList<int>? Resolutions { get; init; }

    /// <summary><c>num_attention_heads</c>.</summary>
    public int? Heads { get; init; }

    /// <summary><c>num_transformer_block</c>.</summary>
    public int? TransformerBlocks { get; init; }

    /// <summary>Number of <c>attention_block_types</c>, all of them <c>Temporal_Self</c>.</summary>
    public int? AttentionBlocks { get; init; }

    /// <summary><c>temporal_position_encoding</c>.</summary>
    public bool? PositionEncoding { get; init; }

    /// <summary><c>temporal_position_encoding_max_len</c>: the most frames in one window.</summary>
    public int? PositionEncodingLength { get; init; }

    internal static OfficialMotionModule Read(YamlSection? section)
    {
        OfficialInference.OneOf(section, "motion_module_type", "Vanilla");
        var kwargs = section?.Section("motion_module_kwargs");
        if (kwargs?.Texts("attention_block_types")?.FirstOrDefault(type => type != "Temporal_Self") is { } other)
            throw kwargs.Error("attention_block_types", $"“{other}” is not supported, expected Temporal_Self");
        if (kwargs?.Count("temporal_attention_dim_div") is > 1)
            throw kwargs.Error("temporal_attention_dim_div", "only 1 is supported, as in all published motion modules");
        // Only the start of training.
        kwargs?.Flag("zero_initialize");
        var motion = new OfficialMotionModule
        {
            Use = section?.Flag("use_motion_module"),
            MidBlock = section?.Flag("motion_module_mid_block"),
            DecoderOnly = section?.Flag("motion_module_decoder_only"),
            Resolutions = section?.Wholes("motion_module_resolutions")?.Select(factor => (int)factor).ToArray(),
            Heads = kwargs?.Count("num_attention_heads"),
            TransformerBlocks = kwargs?.Count("num_transformer_block"),
            AttentionBlocks = kwargs?.Texts("attention_block_types")?.Count,
            PositionEncoding = kwargs?.Flag("temporal_position_encoding"),
            PositionEncodingLength = kwargs?.Count("temporal_position_encoding_max_len"),
        };
        kwargs?.Close();
        return motion;
    }
}

/// <summary>An official <c>configs/inference/sparsectrl/*.yaml</c>; null where it is silent.</summary>
public sealed record OfficialSparseControlConfig
{
    /// <summary><c>set_noisy_sample_input_to_zero</c>.</summary>
    public bool? ZeroNoisySample { get; init; }

    /// <summary><c>use_simplified_condition_embedding</c>: latents as conditions (RGB) instead of pixels (scribble).</summary>
    public bool? LatentCondition { get; init; }

    /// <summary><c>conditioning_channels</c>.</summary>
    public int? ConditionChannels { get; init; }

    /// <summary>The motion module's shape.</summary>
    public OfficialMotionModule Motion { get; init; } = new();

    /// <summary>Reads such a file.</summary>
    /// <exception cref="FileException">The file is missing or is no YAML.</exception>
    /// <exception cref="RequestException">A key is unknown or a value has the wrong type.</exception>
    public static OfficialSparseControlConfig Load(string path)
    {
        var root = new YamlSection(path, YamlSection.LoadRoot(path), "the file");
        var section = root.Section("controlnet_additional_kwargs");
        root.Close();
        var config = new OfficialSparseControlConfig
        {
            ZeroNoisySample = section?.Flag("set_noisy_sample_input_to_zero"),
            LatentCondition = section?.Flag("use_simplified_condition_embedding"),
            ConditionChannels = section?.Count("conditioning_channels"),
            Motion = OfficialMotionModule.Read(section),
        };
        section?.Close();
        return config;
    }
}
