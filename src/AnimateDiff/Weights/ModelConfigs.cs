using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using AnimateDiff.Denoising;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>
/// Configurations in diffusers' spelling for files that have none: shapes say widths and depths; what no shape says (heads, sample size, scaling) is the base model's constant.
/// </summary>
internal static class ModelConfigs
{
    private const int Sd1Heads = 8, Sd1TextHeads = 12, HeadWidth = 64, TimeIdCount = 6, NormGroups = 32, MotionHeads = 8;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The JSON text of a configuration, as diffusers lays it out.</summary>
    public static string Text(JsonNode config) => config.ToJsonString(Indented) + "\n";

    /// <summary>Configuration of <c>UNet2DConditionModel</c>.</summary>
    public static JsonObject UNet(StateDict unet)
    {
        var shape = UNetShape.Of(unet);
        var sdxl = shape.Family == ModelFamily.StableDiffusionXL;
        var config = new JsonObject
        {
            ["_class_name"] = unet.Mentions(".attn_temp.") ? "UNet3DConditionModel" : "UNet2DConditionModel",
            ["act_fn"] = "silu",
            // diffusers' historic name for what is the number of heads
            ["attention_head_dim"] = shape.Family == ModelFamily.StableDiffusion1 ? Sd1Heads : Array(shape.Widths.Select(width => Math.Max(1, width / HeadWidth))),
            ["block_out_channels"] = Array(shape.Widths),
            ["center_input_sample"] = false,
            ["cross_attention_dim"] = shape.CrossAttentionWidth,
            ["down_block_types"] = Array(shape.DownAttends.Select(attends => attends ? "CrossAttnDownBlock2D" : "DownBlock2D")),
            ["downsample_padding"] = 1,
            ["flip_sin_to_cos"] = true,
            ["freq_shift"] = 0,
            ["in_channels"] = shape.InChannels,
            ["layers_per_block"] = 2,
            ["mid_block_scale_factor"] = 1,
            ["norm_eps"] = 1e-5,
            ["norm_num_groups"] = NormGroups,
            ["out_channels"] = shape.OutChannels,
            ["sample_size"] = sdxl ? 128 : 64,
            ["transformer_layers_per_block"] = shape.Depths.All(depth => depth == 1) ? 1 : Array(shape.Depths),
            ["up_block_types"] = Array(shape.UpAttends.Select(attends => attends ? "CrossAttnUpBlock2D" : "UpBlock2D")),
            ["use_linear_projection"] = shape.LinearProjection,
        };
        if (shape.AddedWidth is { } added)
        {
            config["addition_embed_type"] = "text_time";
            config["addition_time_embed_dim"] = 256;
            config["projection_class_embeddings_input_dim"] = added;
        }
        return config;
    }

    /// <summary>Configuration of <c>AutoencoderKL</c>.</summary>
    public static JsonObject Vae(StateDict vae, ModelFamily family)
    {
        var levels = Enumerable.Range(0, NameParts.Count(vae.Keys, "encoder.down_blocks.")).ToArray();
        return new JsonObject
        {
            ["_class_name"] = "AutoencoderKL",
            ["act_fn"] = "silu",
            ["block_out_channels"] = Array(levels.Select(level => Size(vae, $"encoder.down_blocks.{level}.resnets.0.conv1.weight", 0))),
            ["down_block_types"] = Array(levels.Select(_ => "DownEncoderBlock2D")),
            ["in_channels"] = Size(vae, "encoder.conv_in.weight", 1),
            ["latent_channels"] = Size(vae, "decoder.conv_in.weight", 1),
            ["layers_per_block"] = 2,
            ["norm_num_groups"] = NormGroups,
            ["out_channels"] = Size(vae, "decoder.conv_out.weight", 0),
            ["sample_size"] = family == ModelFamily.StableDiffusionXL ? 1024 : 512,
            ["scaling_factor"] = family == ModelFamily.StableDiffusionXL ? 0.13025 : 0.18215,
            ["up_block_types"] = Array(levels.Select(_ => "UpDecoderBlock2D")),
        };
    }

    /// <summary>Configuration of <c>CLIPTextModel</c>, or of the second, projecting encoder of SDXL.</summary>
    public static JsonObject Text(StateDict text)
    {
        const string Tokens = "text_model.embeddings.token_embedding.weight";
        var width = Size(text, Tokens, 1);
        long? projection = text.ContainsKey("text_projection.weight") ? Size(text, "text_projection.weight", 0) : null;
        return new JsonObject
        {
            ["architectures"] = Array([projection is null ? "CLIPTextModel" : "CLIPTextModelWithProjection"]),
            ["bos_token_id"] = 49406,
            ["eos_token_id"] = 49407,
            ["hidden_act"] = projection is null ? "quick_gelu" : "gelu",
            ["hidden_size"] = width,
            ["intermediate_size"] = Size(text, "text_model.encoder.layers.0.mlp.fc1.weight", 0),
            ["layer_norm_eps"] = 1e-5,
            ["max_position_embeddings"] = Size(text, "text_model.embeddings.position_embedding.weight", 0),
            ["model_type"] = "clip_text_model",
            ["num_attention_heads"] = projection is null ? Sd1TextHeads : Math.Max(1, width / HeadWidth),
            ["num_hidden_layers"] = NameParts.Count(text.Keys, "text_model.encoder.layers."),
            ["pad_token_id"] = 1,
            ["projection_dim"] = projection ?? width,
            ["vocab_size"] = Size(text, Tokens, 0),
        };
    }

    /// <summary>Configuration of <c>MotionAdapter</c>.</summary>
    public static JsonObject Motion(MotionShape shape)
    {
        var config = Motion(new MotionConfig
        {
            BlockOutChannels = [.. shape.Widths.Select(width => (int)width)],
            MotionLayersPerBlock = shape.LayersPerBlock,
            MotionMaxSeqLength = shape.MaxFrames,
            MotionNormNumGroups = NormGroups,
            MotionNumAttentionHeads = MotionHeads,
            UseMotionMidBlock = shape.MidBlock,
            Temporal = shape.Traits.Temporal,
        });
        config["conv_in_channels"] = shape.ConvInChannels;
        return config;
    }

    /// <summary>The same of modules that are there.</summary>
    public static JsonObject Motion(MotionConfig motion)
    {
        var config = new JsonObject
        {
            ["_class_name"] = "MotionAdapter",
            ["block_out_channels"] = Array(motion.BlockOutChannels),
            ["conv_in_channels"] = null,
            ["motion_layers_per_block"] = motion.MotionLayersPerBlock,
            ["motion_max_seq_length"] = motion.MotionMaxSeqLength,
            ["motion_mid_block_layers_per_block"] = 1,
            ["motion_norm_num_groups"] = motion.MotionNormNumGroups,
            ["motion_num_attention_heads"] = motion.MotionNumAttentionHeads,
            ["motion_transformer_layers_per_block"] = 1,
            ["motion_transformer_layers_per_mid_block"] = 1,
            ["use_motion_mid_block"] = motion.UseMotionMidBlock,
        };
        if (motion.IsConvolution)
            config["temporal"] = motion.Temporal;                                           // a key of this program: no other has such modules
        return config;
    }

    /// <summary>Configuration of <c>ControlNetModel</c> or <c>SparseControlNetModel</c>.</summary>
    /// <param name="control">Its tensors under diffusers' names.</param>
    /// <param name="motion">Its motion modules (SparseCtrl), or null.</param>
    public static JsonObject Control(StateDict control, MotionShape? motion)
    {
        const string Embedding = "controlnet_cond_embedding.";
        var shape = UNetShape.Of(control);
        var simple = control.ContainsKey(Embedding + "weight");
        var first = Embedding + (simple ? "weight" : "conv_in.weight");
        var stages = NameParts.Count(control.Keys, Embedding + "blocks.");
        var config = new JsonObject
        {
            ["_class_name"] = motion is null ? "ControlNetModel" : "SparseControlNetModel",
            ["act_fn"] = "silu",
            ["attention_head_dim"] = shape.Family == ModelFamily.StableDiffusion1 ? Sd1Heads : Array(shape.Widths.Select(width => Math.Max(1, width / HeadWidth))),
            ["block_out_channels"] = Array(shape.Widths),
            // SparseCtrl's mask of the frames that have a condition is one channel more
            ["conditioning_channels"] = Size(control, first, 1) - (motion is null ? 0 : 1),
            ["controlnet_conditioning_channel_order"] = "rgb",
            ["cross_attention_dim"] = shape.CrossAttentionWidth,
            ["down_block_types"] = Array(shape.DownAttends.Select(attends => (attends ? "CrossAttnDownBlock" : "DownBlock") + (motion is null ? "2D" : "Motion"))),
            ["downsample_padding"] = 1,
            ["flip_sin_to_cos"] = true,
            ["freq_shift"] = 0,
            ["in_channels"] = shape.InChannels,
            ["layers_per_block"] = 2,
            ["norm_eps"] = 1e-5,
            ["norm_num_groups"] = NormGroups,
            ["transformer_layers_per_block"] = shape.Depths.All(depth => depth == 1) ? 1 : Array(shape.Depths),
            ["use_linear_projection"] = shape.LinearProjection,
        };
        if (!simple)
            config["conditioning_embedding_out_channels"] = Array(
                [Size(control, first, 0), .. Enumerable.Range(0, stages / 2).Select(stage => Size(control, $"{Embedding}blocks.{2 * stage + 1}.weight", 0))]);
        if (motion is not null)
        {
            config["concat_conditioning_mask"] = true;
            config["motion_max_seq_length"] = motion.MaxFrames;
            config["motion_num_attention_heads"] = MotionHeads;
            config["temporal_transformer_layers_per_block"] = 1;
            config["use_simplified_condition_embedding"] = simple;
        }
        return config;
    }

    /// <summary>The scheduler that the base model's own folder comes with.</summary>
    public static JsonObject Scheduler(ModelFamily family)
    {
        var config = new JsonObject
        {
            ["_class_name"] = family == ModelFamily.StableDiffusionXL ? "EulerDiscreteScheduler" : "PNDMScheduler",
            ["beta_end"] = 0.012,
            ["beta_schedule"] = "scaled_linear",
            ["beta_start"] = 0.00085,
            ["num_train_timesteps"] = 1000,
            ["prediction_type"] = "epsilon",
            ["steps_offset"] = 1,
            ["timestep_spacing"] = "leading",
            ["trained_betas"] = null,
        };
        if (family != ModelFamily.StableDiffusionXL)
        {
            config["set_alpha_to_one"] = false;
            config["skip_prk_steps"] = true;
        }
        return config;
    }

    /// <summary>A <c>scheduler_config.json</c> as it is; Stable Diffusion 1.5's where there is none.</summary>
    public static JsonObject SchedulerOf(string? config) => config is null ? Scheduler(ModelFamily.StableDiffusion1) : JsonNode.Parse(config)!.AsObject();

    private static long Size(StateDict part, string name, int dimension)
        => part.TryGetValue(name, out var tensor) && tensor.Shape.Count > dimension ? tensor.Shape[dimension]
            : throw new FileException(part.Path, $"{part.Path} lacks '{name}', or has it in another shape than Stable Diffusion; the file is incomplete, get it again.");

    private static JsonArray Array(IEnumerable<long> values) => [.. values.Select(value => (JsonNode)value)];
    private static JsonArray Array(IEnumerable<int> values) => [.. values.Select(value => (JsonNode)value)];
    private static JsonArray Array(IEnumerable<string> values) => [.. values.Select(value => (JsonNode)value)];
}
