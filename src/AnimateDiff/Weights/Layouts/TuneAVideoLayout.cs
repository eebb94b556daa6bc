using System.Text.Json.Nodes;
using AnimateDiff.Configs;
using AnimateDiff.Noise;

namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// The folder of a tuned model as showlab/Tune-A-Video writes it: a Stable Diffusion folder whose UNet has <c>norm_temp</c> and <c>attn_temp</c> in every transformer
/// block, and 3D where its configuration names the class and the blocks. Its convolutions are those of images, so that no tensor is named or shaped differently.
/// </summary>
internal static class TuneAVideoLayout
{
    private const string ClassName = "UNet3DConditionModel";

    private static readonly string[] Blocks = ["DownBlock", "UpBlock", "UNetMidBlock"];

    /// <summary>Whether a UNet's <c>config.json</c> is that of a tuned model.</summary>
    public static bool Matches(string config) => config.Contains(ClassName, StringComparison.Ordinal) || Blocks.Any(block => config.Contains(block + "3D", StringComparison.Ordinal));

    /// <summary>A UNet's configuration with the image model's names of the blocks.</summary>
    public static string AsImageConfig(string config) => Blocks.Aggregate(config, (text, block) => text.Replace(block + "3D", block + "2D", StringComparison.Ordinal));

    /// <summary>The configuration of a tuned UNet, from that of its image model.</summary>
    public static string Config(string imageConfig)
    {
        var named = Blocks.Aggregate(imageConfig, (text, block) => text.Replace(block + "2D", block + "3D", StringComparison.Ordinal));
        var config = JsonNode.Parse(named)!.AsObject();
        config["_class_name"] = ClassName;
        return ModelConfigs.Text(config);
    }

    /// <summary>The <c>scheduler_config.json</c> of a tuned model: the image model's (null for Stable Diffusion's), with the noise that was trained at.</summary>
    public static string Scheduler(string? imageConfig, BetaShape betas, PredictionType prediction)
    {
        var config = ModelConfigs.SchedulerOf(imageConfig);
        config["beta_schedule"] = KebabNames.Of(betas).Replace('-', '_');
        config["prediction_type"] = KebabNames.Of(prediction).Replace('-', '_');
        return ModelConfigs.Text(config);
    }

    /// <summary>The <c>model_index.json</c> of a tuned model, from that of its image model.</summary>
    public static string Index(string imageIndex)
    {
        var index = JsonNode.Parse(imageIndex)!.AsObject();
        index["_class_name"] = "TuneAVideoPipeline";
        index["unet"] = new JsonArray("models", ClassName);
        return ModelConfigs.Text(index);
    }
}
