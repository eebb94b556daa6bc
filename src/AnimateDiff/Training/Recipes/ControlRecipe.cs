using AnimateDiff.Control;
using AnimateDiff.Denoising;
using AnimateDiff.Video;
using AnimateDiff.Weights;
using TorchSharp.Modules;

namespace AnimateDiff.Training.Recipes;

/// <summary>A stage that trains a control network beside the frozen denoiser, through whose way up its gradients come.</summary>
/// <param name="options">The recipe.</param>
/// <param name="models">The models.</param>
/// <param name="encoder">The network, which becomes this recipe's.</param>
/// <param name="config">Its configuration in diffusers' form.</param>
/// <param name="folder">Name of the folder that is written.</param>
internal abstract class ControlRecipe(TrainingRecipe options, TrainingModels models, ControlEncoder encoder, string config, string folder) : DiffusionRecipe(options, models)
{
    /// <summary>The network.</summary>
    internal ControlEncoder Encoder => encoder;

    /// <summary>Whether it is shown pictures, for which the samples' frames are needed, and not latents.</summary>
    public bool FollowsPictures => Options.Condition != ControlCondition.Rgb;

    public override IEnumerable<(string Name, Parameter Parameter)> Trainable => encoder.named_parameters().Select(entry => (entry.name, entry.parameter));

    /// <summary>Features of a condition, [B·F, C, h, w].</summary>
    protected abstract Tensor Features(ClipCondition condition);

    /// <summary>What the network adds to the UNet.</summary>
    /// <param name="noisy">[B, 4, F, h, w]</param>
    /// <param name="timesteps">[B]</param>
    /// <param name="text">For B rows.</param>
    /// <param name="features">From <see cref="Features"/>, of B clips or of one for all.</param>
    protected abstract ControlResiduals Residuals(Tensor noisy, Tensor timesteps, TextContext text, Tensor features);

    /// <summary>The pictures that a sample is to follow, black where none is given: for the eye.</summary>
    protected abstract VideoFrames Picture(TrainingSample sample);

    protected override Tensor Predict(Tensor noisy, Tensor timesteps, Tensor text, ClipCondition? condition)
    {
        using var scope = NewDisposeScope();
        using var own = encoder.Prepare(text);
        using var context = Models.UNet.Prepare(text);
        var residuals = Residuals(noisy, timesteps, own, Features(condition!));
        return Models.UNet.Forward(noisy, timesteps, context, residuals).MoveToOuterDisposeScope();
    }

    protected override IReadOnlyList<(string Name, VideoFrames Clip)> Show(string name, ValidationSampler sampler, Tensor text, (int Frames, int Height, int Width) size, TrainingSample? sample)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        using var own = encoder.Prepare(text);
        var latents = LatentsOf(sample!).unsqueeze(0);                                                       // [1, 4, F, h, w]
        var features = Features(Condition([sample!], latents)!);
        size = ((int)latents.shape[2], (int)latents.shape[3], (int)latents.shape[4]);                        // what is followed may be of another size than what is trained on
        return [(name, sampler.Generate(text, size, (input, timestep) => Residuals(input, timestep, own, features))), ($"{name}-condition", Picture(sample!))];
    }

    public override IReadOnlyList<string> Export(string run, IReadOnlyDictionary<string, Tensor> weights, IEnumerable<TrainingSample> samples)
    {
        var output = Path.Combine(run, folder);
        var writer = new CheckpointWriter(Options.Control ?? Options.Base, output, Options.SaveType, overwrite: true);
        writer.WriteFolder(partial => writer.WriteModel(partial, BaseConversion.UNetWeights, StateOf(encoder, "", weights), config));
        return [output];
    }

    /// <summary>Frames as a control network takes them, [3, F, H, W] in 0…1.</summary>
    protected static Tensor Tensor01(VideoFrames frames)
    {
        using var scope = NewDisposeScope();
        return frames.ToTensor().transpose(0, 1).Add(1).Over(2).MoveToOuterDisposeScope();                   // −1…1 → 0…1
    }

    public override void Dispose()
    {
        encoder.Dispose();
        base.Dispose();
    }
}
