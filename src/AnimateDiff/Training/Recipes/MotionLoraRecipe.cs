using AnimateDiff.Lora;
using AnimateDiff.Weights.Layouts;
using TorchSharp.Modules;

namespace AnimateDiff.Training.Recipes;

/// <summary>
/// MotionLoRA (Guo et al. 2023, §4.3): LoRA on the self-attention of a trained motion module, from 20–50 clips of one movement of the camera, which
/// the data set can make by rule from stills or videos.
/// </summary>
internal sealed class MotionLoraRecipe : DiffusionRecipe
{
    private readonly TrainableLora _lora;

    public MotionLoraRecipe(TrainingRecipe options, TrainingModels models) : base(options, models)
    {
        if (models.UNet.Motion!.IsConvolution)
            throw new RequestException($"{options.Motion} mixes frames by 1-D convolutions; a MotionLoRA is for the self-attention of a motion module with attention.");
        _lora = new TrainableLora(AttentionLayers.OfMotion(models.UNet), options.Rank!.Value, options.Seed);
    }

    public override IEnumerable<(string Name, Parameter Parameter)> Trainable => _lora.Parameters;

    /// <summary>Goes on from matrices of the same rank.</summary>
    internal void Load(LoraWeights weights) => _lora.Load(weights);

    public override IReadOnlyList<string> Export(string folder, IReadOnlyDictionary<string, Tensor> weights)
    {
        var file = Path.Combine(folder, "motion-lora.safetensors");
        AttentionLayers.Write(file, _lora.Layers.Keys, weights, ProcessorLoraLayout.Official, Options.SaveType);
        return [file];
    }

    public override void Dispose()
    {
        _lora.Dispose();
        base.Dispose();
    }
}
