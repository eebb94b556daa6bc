using AnimateDiff.Lora;
using AnimateDiff.Weights.Layouts;
using TorchSharp.Modules;

namespace AnimateDiff.Training.Recipes;

/// <summary>
/// The domain adapter (Guo et al. 2023, §4.1): LoRA on self- and cross-attention of the image layers, trained with the image loss on single frames drawn from the
/// videos, so that their look (watermarks, compression) is learned here and not by the motion module.
/// </summary>
internal sealed class DomainAdapterRecipe : DiffusionRecipe
{
    private readonly TrainableLora _lora;

    public DomainAdapterRecipe(TrainingRecipe options, TrainingModels models) : base(options, models) =>
        _lora = new TrainableLora(AttentionLayers.OfImages(models.UNet), options.Rank!.Value, options.Seed);

    public override IEnumerable<(string Name, Parameter Parameter)> Trainable => _lora.Parameters;

    /// <summary>Goes on from matrices of the same rank.</summary>
    internal void Load(LoraWeights weights) => _lora.Load(weights);

    public override IReadOnlyList<string> Export(string folder, IReadOnlyDictionary<string, Tensor> weights)
    {
        var file = Path.Combine(folder, "domain-adapter.safetensors");
        AttentionLayers.Write(file, _lora.Layers.Keys, weights, ProcessorLoraLayout.Official, Options.SaveType);
        return [file];
    }

    public override void Dispose()
    {
        _lora.Dispose();
        base.Dispose();
    }
}
