using AnimateDiff.Denoising;
using AnimateDiff.Weights;
using TorchSharp.Modules;

namespace AnimateDiff.Training.Recipes;

/// <summary>
/// The motion modules (Guo et al. 2023, §4.2): every parameter of theirs is trained on clips, while the image layers, with the domain adapter in them, are frozen.
/// A new module starts as the identity.
/// </summary>
internal sealed class MotionModuleRecipe(TrainingRecipe options, TrainingModels models) : DiffusionRecipe(options, models)
{
    public override IEnumerable<(string Name, Parameter Parameter)> Trainable =>
        Models.UNet.named_parameters().Where(entry => UNetMotionModel.IsMotion(entry.name)).Select(entry => (entry.name, entry.parameter));

    public override IReadOnlyList<string> Export(string folder, IReadOnlyDictionary<string, Tensor> weights, IEnumerable<TrainingSample> samples)
    {
        // The diffusers folder first, for it knows no loss of names; the official file, which every program reads, is made from it with its position encodings.
        var diffusers = Path.Combine(folder, "motion-module-diffusers");
        var writer = new CheckpointWriter(Options.Motion ?? Options.Base, diffusers, Options.SaveType, overwrite: true);
        writer.WriteFolder(partial => writer.WriteModel(partial, BaseConversion.UNetWeights, StateOf(Models.UNet, "", weights, UNetMotionModel.IsMotion), Models.MotionConfigText));
        if (Models.UNet.Motion!.IsConvolution)
            return [diffusers];                                                         // no other program knows the ablation
        var official = Path.Combine(folder, "motion-module.safetensors");
        CheckpointConverter.Convert(diffusers, official, ConversionTarget.Official, overwrite: true);
        return [official, diffusers];
    }
}
