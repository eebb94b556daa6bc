using AnimateDiff.Lora;
using AnimateDiff.Weights.Layouts;
using TorchSharp.Modules;

namespace AnimateDiff.Training.Recipes;

/// <summary>A stage that trains low-rank matrices beside some linear layers and writes them in the official layout.</summary>
/// <param name="options">The recipe; its rank is set.</param>
/// <param name="models">The models.</param>
/// <param name="layers">The layers by their path.</param>
/// <param name="file">Name of the file that is written.</param>
internal abstract class LoraRecipe(TrainingRecipe options, TrainingModels models, IEnumerable<(string Path, Linear Layer)> layers, string file) : DiffusionRecipe(options, models)
{
    private readonly TrainableLora _lora = new(layers, options.Rank!.Value, options.Seed);

    public override IEnumerable<(string Name, Parameter Parameter)> Trainable => _lora.Parameters;

    /// <summary>Goes on from matrices of the same layers and rank.</summary>
    internal void Load(LoraWeights weights) => _lora.Load(weights);

    public override IReadOnlyList<string> Export(string folder, IReadOnlyDictionary<string, Tensor> weights, IEnumerable<TrainingSample> samples)
    {
        var path = Path.Combine(folder, file);
        AttentionLayers.Write(path, _lora.Layers.Keys, weights, ProcessorLoraLayout.Official, Options.SaveType);
        return [path];
    }

    public override void Dispose()
    {
        _lora.Dispose();
        base.Dispose();
    }
}

/// <summary>
/// The domain adapter (Guo et al. 2023, §4.1): LoRA on self- and cross-attention of the image layers, trained with the image loss on single frames drawn from the
/// videos, so that their look (watermarks, compression) is learned here and not by the motion module.
/// </summary>
internal sealed class DomainAdapterRecipe(TrainingRecipe options, TrainingModels models)
    : LoraRecipe(options, models, AttentionLayers.OfImages(models.UNet), "domain-adapter.safetensors");

/// <summary>
/// MotionLoRA (Guo et al. 2023, §4.3): LoRA on the self-attention of a trained motion module, from 20–50 clips of one movement of the camera, which
/// the data set can make by rule from stills or videos.
/// </summary>
internal sealed class MotionLoraRecipe(TrainingRecipe options, TrainingModels models)
    : LoraRecipe(options, models, OfAttention(options, models), "motion-lora.safetensors")
{
    private static IEnumerable<(string Path, Linear Layer)> OfAttention(TrainingRecipe options, TrainingModels models) => !models.UNet.Motion!.IsConvolution
        ? AttentionLayers.OfMotion(models.UNet)
        : throw new RequestException($"{options.Motion} mixes frames by 1-D convolutions; a MotionLoRA is for the self-attention of a motion module with attention.");
}
