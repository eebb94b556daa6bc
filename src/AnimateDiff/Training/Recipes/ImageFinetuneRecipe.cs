using AnimateDiff.Lora;
using AnimateDiff.Weights;
using TorchSharp.Modules;

namespace AnimateDiff.Training.Recipes;

/// <summary>
/// The image UNet on images, whole (what the official code calls its first stage, and how a personalised model or one from nothing is made) or as LoRA;
/// with the text encoder where the recipe says so.
/// </summary>
internal sealed class ImageFinetuneRecipe : DiffusionRecipe
{
    private readonly TrainableLora? _lora;

    public ImageFinetuneRecipe(TrainingRecipe options, TrainingModels models) : base(options, models)
    {
        if (options.Rank is { } rank)
            _lora = new TrainableLora(AttentionLayers.OfImages(models.UNet), rank, options.Seed);
    }

    public override IEnumerable<(string Name, Parameter Parameter)> Trainable => _lora?.Parameters ?? Whole;

    private IEnumerable<(string Name, Parameter Parameter)> Whole =>
    [
        .. Models.UNet.named_parameters().Select(entry => ($"unet.{entry.name}", entry.parameter)),
        .. Options.TrainTextEncoder ? Models.Text.named_parameters().Select(entry => ($"text_encoder.{entry.name}", entry.parameter)) : [],
    ];

    public override IReadOnlyList<string> Export(string folder, IReadOnlyDictionary<string, Tensor> weights, IEnumerable<TrainingSample> samples)
    {
        if (_lora is not null)
        {
            var file = Path.Combine(folder, "lora.safetensors");
            AttentionLayers.Write(file, _lora.Layers.Keys, weights, AttentionLayers.Kohya, Options.SaveType);
            return [file];
        }
        var output = Path.Combine(folder, "model");
        var writer = new CheckpointWriter(Models.Base, output, Options.SaveType, overwrite: true);
        writer.WriteFolder(partial =>
        {
            writer.WriteModel(Path.Combine(partial, "unet"), BaseConversion.UNetWeights, StateOf(Models.UNet, "unet.", weights), Models.Configs.UNet);
            writer.WriteModel(Path.Combine(partial, "vae"), BaseConversion.UNetWeights, StateOf(Models.Vae, "", weights), Models.VaeConfigText);
            writer.WriteModel(Path.Combine(partial, "text_encoder"), BaseConversion.TextWeights, StateOf(Models.Text, "text_encoder.", weights), Models.Configs.Text);
            BaseConversion.WriteRest(partial, Models.Configs.Scheduler ?? ModelConfigs.Text(ModelConfigs.Scheduler(ModelFamily.StableDiffusion1)), Models.Configs.TokenizerFolder);
        });
        return [output];
    }

    public override void Dispose()
    {
        _lora?.Dispose();
        base.Dispose();
    }
}
