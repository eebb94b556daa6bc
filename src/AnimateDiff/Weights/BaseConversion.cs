using System.Text.Json.Nodes;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>Base models between the diffusers folder and the single file. A single file written here keeps the configurations as metadata, so that the way back is exact.</summary>
internal static class BaseConversion
{
    internal const string UNetWeights = "diffusion_pytorch_model.safetensors", TextWeights = "model.safetensors";

    /// <summary>Writes a diffusers folder.</summary>
    public static IReadOnlyList<string> ToFolder(string input, CheckpointWriter writer)
    {
        using var files = BaseModelFiles.Open(input);
        writer.WriteFolder(folder =>
        {
            writer.WriteModel(Path.Combine(folder, "unet"), UNetWeights, files.UNet, files.UNetConfig);
            writer.WriteModel(Path.Combine(folder, "vae"), UNetWeights, files.Vae, files.VaeConfig);
            writer.WriteModel(Path.Combine(folder, "text_encoder"), TextWeights, files.TextEncoder, files.TextEncoderConfig);
            if (files.TextEncoder2 is { } second)
                writer.WriteModel(Path.Combine(folder, "text_encoder_2"), TextWeights, second, files.TextEncoder2Config!);
            WriteRest(folder, files.SchedulerConfig ?? ModelConfigs.Text(ModelConfigs.Scheduler(files.Kind.Family)), files.TokenizerFolder, files.TextEncoder2 is not null);
            CopyTokenizer(files.Tokenizer2Folder, Path.Combine(folder, "tokenizer_2"));
        });
        return files.TokenizerFolder is not null ? []
            : ["A single file has no tokenizer: copy the tokenizer folder of the base model into the folder, or name it with --tokenizer."];
    }

    /// <summary>Writes a single file.</summary>
    public static IReadOnlyList<string> ToSingleFile(string input, CheckpointWriter writer)
    {
        using var files = BaseModelFiles.Open(input);
        var metadata = new Dictionary<string, string>
        {
            [BaseModelFiles.ConfigMetadata + "unet"] = files.UNetConfig,
            [BaseModelFiles.ConfigMetadata + "vae"] = files.VaeConfig,
            [BaseModelFiles.ConfigMetadata + "text_encoder"] = files.TextEncoderConfig,
        };
        if (files.TextEncoder2Config is { } second)
            metadata[BaseModelFiles.ConfigMetadata + "text_encoder_2"] = second;
        if (files.SchedulerConfig is { } scheduler)
            metadata[BaseModelFiles.ConfigMetadata + "scheduler"] = scheduler;
        writer.WriteFile(CompVisLayout.FromDiffusers(input, new CompVisLayout.Parts(files.UNet, files.Vae, files.TextEncoder, files.TextEncoder2)), metadata);
        return files.TokenizerFolder is null ? [] : ["A single file has no tokenizer; it is left out."];
    }

    /// <summary>Writes what a base model's folder has beside its three models: scheduler, index and, where there is one, the tokenizer.</summary>
    internal static void WriteRest(string folder, string schedulerConfig, string? tokenizerFolder, bool sdxl = false)
    {
        var scheduler = Directory.CreateDirectory(Path.Combine(folder, "scheduler")).FullName;
        File.WriteAllText(Path.Combine(scheduler, "scheduler_config.json"), schedulerConfig);
        File.WriteAllText(Path.Combine(folder, "model_index.json"), ModelConfigs.Text(Index(schedulerConfig, sdxl)));
        CopyTokenizer(tokenizerFolder, Path.Combine(folder, "tokenizer"));
    }

    private static JsonObject Index(string schedulerConfig, bool sdxl)
    {
        static JsonArray Part(string library, string type) => [library, type];
        var index = new JsonObject
        {
            ["_class_name"] = sdxl ? "StableDiffusionXLPipeline" : "StableDiffusionPipeline",
            ["feature_extractor"] = new JsonArray(null, null),
            ["image_encoder"] = new JsonArray(null, null),
            ["scheduler"] = Part("diffusers", JsonNode.Parse(schedulerConfig)!["_class_name"]?.GetValue<string>() ?? "PNDMScheduler"),
            ["text_encoder"] = Part("transformers", "CLIPTextModel"),
            ["tokenizer"] = Part("transformers", "CLIPTokenizer"),
            ["unet"] = Part("diffusers", "UNet2DConditionModel"),
            ["vae"] = Part("diffusers", "AutoencoderKL"),
        };
        if (sdxl)
        {
            index["force_zeros_for_empty_prompt"] = true;
            index["text_encoder_2"] = Part("transformers", "CLIPTextModelWithProjection");
            index["tokenizer_2"] = Part("transformers", "CLIPTokenizer");
        }
        else
        {
            index["requires_safety_checker"] = false;
            index["safety_checker"] = new JsonArray(null, null);
        }
        return index;
    }

    private static void CopyTokenizer(string? from, string to)
    {
        if (from is null)
            return;
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }
}
