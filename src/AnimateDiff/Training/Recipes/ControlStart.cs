using System.Numerics;
using System.Text.Json.Nodes;
using AnimateDiff.Control;
using AnimateDiff.Denoising;
using AnimateDiff.Weights;

namespace AnimateDiff.Training.Recipes;

/// <summary>
/// Where the training of a control network starts: at a copy of the base's way down, with motion layers of the motion module, whose condition enters and whose outputs
/// leave by convolutions of zeros (Zhang et al. 2023, arXiv 2302.05543, §3.1), so that the first step is the base's own; or at a checkpoint.
/// </summary>
internal static class ControlStart
{
    private const ulong SeedPlace = 5;                                                  // 1 to 3 are the base's and the motion module's

    private static readonly string[] Zeros = ["controlnet_cond_embedding.conv_out.", "controlnet_down_blocks.", "controlnet_mid_block."];

    /// <summary>A ControlNet and its configuration in diffusers' form.</summary>
    /// <exception cref="FileException">The checkpoint is something else, or for another base model.</exception>
    public static (ControlNetModel Model, string Config) Net(TrainingRecipe recipe, TrainingModels models) =>
        Make(recipe, models, CheckpointKind.ControlNet, config => new ControlNetModel(config, META));

    /// <summary>A SparseCtrl encoder and its configuration in diffusers' form.</summary>
    /// <exception cref="FileException">The checkpoint is something else, for another base model, or for another kind of condition.</exception>
    public static (SparseControlNetModel Model, string Config) Sparse(TrainingRecipe recipe, TrainingModels models)
    {
        var start = Make(recipe, models, CheckpointKind.SparseControlNet, config => new SparseControlNetModel(config, META));
        start.Model.ComputesPositions = recipe.Semantics == Semantics.Official;
        start.Model.MotionNormAcrossFrames = recipe.Semantics == Semantics.Diffusers;
        return start;
    }

    private static (T Model, string Config) Make<T>(TrainingRecipe recipe, TrainingModels models, CheckpointKind kind, Func<ControlConfig, T> build) where T : ControlEncoder
    {
        using var files = recipe.Control is { } path ? ControlFiles.Open(path) : null;
        if (files is not null && files.Kind.Kind != kind)
            throw new FileException(files.Path, $"{files.Path} is {KindSentences.Short(files.Kind)}, not {KindSentences.Short(new ModelKind { Kind = kind })}; control takes what the stage trains.");
        var config = files is null ? New(recipe, models) : ControlConfig.Parse(files.Config, files.Path);
        if (files is not null)
            Check(files.Path, config, recipe, models);
        var model = build(config);
        try
        {
            if (files is not null)
                ModuleWeights.Load(model, files.Weights, "control network", recipe.Precision, new Device(recipe.Device));
            else
                Begin(model, models.UNet, recipe);
            model.Recomputes = recipe.Recompute;
            return (model, files?.Config ?? ModelConfigs.Text(Text(config, kind)));
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static ControlConfig New(TrainingRecipe recipe, TrainingModels models)
    {
        var (unet, motion, standard) = (models.UNet.Config, models.UNet.Motion, new ControlConfig());
        var latents = recipe.Condition == ControlCondition.Rgb;
        return new ControlConfig
        {
            UNet = unet,
            ConditioningChannels = latents ? unet.InChannels : 3,
            // each further one halves the pictures
            ConditioningEmbeddingOutChannels = [.. standard.ConditioningEmbeddingOutChannels.Take(1 + BitOperations.Log2((uint)models.Vae.Config.PixelsPerLatent))],
            UseSimplifiedConditionEmbedding = latents,
            MotionMaxSeqLength = motion?.MotionMaxSeqLength ?? standard.MotionMaxSeqLength,
            MotionNumAttentionHeads = motion?.MotionNumAttentionHeads ?? standard.MotionNumAttentionHeads,
        };
    }

    private static void Begin(ControlEncoder model, UNetMotionModel unet, TrainingRecipe recipe)
    {
        ModuleWeights.Initialise(model, part: null, recipe.Seed + SeedPlace);
        model.to(new Device(recipe.Device), recipe.Precision);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (own, from) = (model.state_dict(), unet.state_dict());
        // The paper's ablation has nothing to copy for an attention; then the motion layers start as the identity.
        var copiesMotion = unet.Motion is { IsConvolution: false };
        foreach (var (name, tensor) in own)
            if ((copiesMotion || !UNetMotionModel.IsMotion(name)) && from.TryGetValue(name, out var weight) && weight.shape.SequenceEqual(tensor.shape))
                tensor.copy_(weight);
            else if (Zeros.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)) || name is "controlnet_cond_embedding.weight" or "controlnet_cond_embedding.bias")
                tensor.zero_();
        if (!copiesMotion)
            foreach (var module in model.modules().OfType<MotionModule>())
                module.ZeroInitialise();
    }

    private static void Check(string path, ControlConfig config, TrainingRecipe recipe, TrainingModels models)
    {
        var unet = models.UNet.Config;
        string Shape(IReadOnlyList<int> channels, int layers, int text) => $"levels of {string.Join(", ", channels)} channels, {layers} layers each, text of {text}";
        var (own, expected) = (Shape(config.UNet.BlockOutChannels, config.UNet.LayersPerBlock, config.UNet.CrossAttentionDim), Shape(unet.BlockOutChannels, unet.LayersPerBlock, unet.CrossAttentionDim));
        if (own != expected)
            throw new FileException(path, $"{path} was made for another base model: it has {own}; {models.Base} has {expected}.");
        var latents = recipe.Condition == ControlCondition.Rgb;
        if (config.UseSimplifiedConditionEmbedding != latents)
            throw new FileException(path, $"{path} follows {(latents ? "pictures such as scribbles, but condition is rgb" : "the frames themselves, which is condition: rgb, but the recipe has pictures for it")}.");
        if (!latents && 1 << (config.ConditioningEmbeddingOutChannels.Count - 1) != models.Vae.Config.PixelsPerLatent)
            throw new FileException(path, $"{path} makes 1 place of {1 << (config.ConditioningEmbeddingOutChannels.Count - 1)} pixels, and the VAE 1 of {models.Vae.Config.PixelsPerLatent}: it was made for another base model.");
    }

    private static JsonObject Text(ControlConfig config, CheckpointKind kind)
    {
        static JsonArray Array<T>(IEnumerable<T> values) => [.. values.Select(value => JsonValue.Create(value))];
        var unet = config.UNet;
        var json = new JsonObject
        {
            ["_class_name"] = kind == CheckpointKind.ControlNet ? "ControlNetModel" : "SparseControlNetModel",
            ["act_fn"] = "silu",
            ["attention_head_dim"] = unet.AttentionHeadDim,
            ["block_out_channels"] = Array(unet.BlockOutChannels),
            ["conditioning_channels"] = config.ConditioningChannels,
            ["conditioning_embedding_out_channels"] = Array(config.ConditioningEmbeddingOutChannels),
            ["controlnet_conditioning_channel_order"] = "rgb",
            ["cross_attention_dim"] = unet.CrossAttentionDim,
            ["down_block_types"] = Array(unet.DownBlockTypes.Select(type => kind == CheckpointKind.ControlNet ? type : type.Replace("2D", "Motion"))),
            ["downsample_padding"] = 1,
            ["flip_sin_to_cos"] = unet.FlipSinToCos,
            ["freq_shift"] = unet.FreqShift,
            ["in_channels"] = unet.InChannels,
            ["layers_per_block"] = unet.LayersPerBlock,
            ["mid_block_scale_factor"] = 1,
            ["norm_eps"] = unet.NormEps,
            ["norm_num_groups"] = unet.NormNumGroups,
            ["num_attention_heads"] = unet.NumAttentionHeads,
            ["transformer_layers_per_block"] = 1,
            ["use_linear_projection"] = false,
        };
        if (kind == CheckpointKind.SparseControlNet)
        {
            json["concat_conditioning_mask"] = config.ConcatConditioningMask;
            json["motion_max_seq_length"] = config.MotionMaxSeqLength;
            json["motion_num_attention_heads"] = config.MotionNumAttentionHeads;
            json["temporal_transformer_layers_per_block"] = 1;
            json["use_simplified_condition_embedding"] = config.UseSimplifiedConditionEmbedding;
        }
        return json;
    }
}
