using AnimateDiff.Weights;
using AnimateDiff.Weights.Layouts;
using TorchSharp.Modules;

namespace AnimateDiff.Training.Recipes;

/// <summary>
/// One-shot tuning on one video (Tune-A-Video: Wu et al. 2023, arXiv 2212.11565, §4.2): the queries of both attentions of the images, and attention along the frames,
/// which at the start adds nothing. Every image already sees the first one and the one before it. (The original's new attention starts with a random bias; zero is
/// what "adds nothing" means.)
/// </summary>
internal sealed class TuneAVideoRecipe(TrainingRecipe options, TrainingModels models) : DiffusionRecipe(options, models)
{
    private static readonly string[] Trained = [".attn1.to_q.", ".attn2.to_q.", ".attn_temp."];

    public override IEnumerable<(string Name, Parameter Parameter)> Trainable =>
        Models.UNet.named_parameters().Where(entry => Trained.Any(part => entry.name.Contains(part, StringComparison.Ordinal))).Select(entry => (entry.name, entry.parameter));

    public override IReadOnlyList<string> Export(string folder, IReadOnlyDictionary<string, Tensor> weights, IEnumerable<TrainingSample> samples)
    {
        var output = Path.Combine(folder, "tune-a-video");
        using var files = BaseModelFiles.Open(Models.Base);                             // what is not trained is written as it was read, in whatever precision it computed
        using var vae = Options.Vae is null ? null : VaeFiles.Open(Options.Vae);
        var writer = new CheckpointWriter(Models.Base, output, Options.SaveType, overwrite: true);
        writer.WriteFolder(partial =>
        {
            writer.WriteModel(Path.Combine(partial, "unet"), BaseConversion.UNetWeights, UNetOf(files, weights), TuneAVideoLayout.Config(Models.Configs.UNet));
            writer.WriteModel(Path.Combine(partial, "vae"), BaseConversion.UNetWeights, vae?.Weights ?? files.Vae, Models.VaeConfigText);
            writer.WriteModel(Path.Combine(partial, "text_encoder"), BaseConversion.TextWeights, files.TextEncoder, Models.Configs.Text);
            BaseConversion.WriteRest(partial, TuneAVideoLayout.Scheduler(Models.Configs.Scheduler, Options.BetaShape, Options.Prediction), Models.Configs.TokenizerFolder);
            var index = Path.Combine(partial, "model_index.json");
            File.WriteAllText(index, TuneAVideoLayout.Index(File.ReadAllText(index)));
        });
        return [output];
    }

    private StateDict UNetOf(BaseModelFiles files, IReadOnlyDictionary<string, Tensor> weights)
    {
        var own = StateOf(Models.UNet, "", weights);
        return new StateDict(own.Path, own.ToDictionary(entry => entry.Key, entry => weights.ContainsKey(entry.Key) ? entry.Value : files.UNet.GetValueOrDefault(entry.Key) ?? entry.Value));
    }
}
