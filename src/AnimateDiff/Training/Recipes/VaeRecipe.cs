using System.Text.Json.Nodes;
using AnimateDiff.Training.Dataset;
using AnimateDiff.Vae;
using AnimateDiff.Video;
using AnimateDiff.Weights;
using TorchSharp.Modules;

namespace AnimateDiff.Training.Recipes;

/// <summary>
/// The autoencoder on images: mean absolute error of the picture and of its differences between neighbouring pixels, which keeps edges sharp without a second network,
/// and a small pull of the latents towards N(0, 1) (Rombach et al. 2022, §3.1). At the end the scaling factor is measured: 1 / standard deviation of the latents.
/// </summary>
internal sealed class VaeRecipe(TrainingRecipe options, AutoencoderKL vae) : IRecipe
{
    private const double KlWeight = 1e-6;
    private const int Measured = 256; // samples for the scaling factor

    public IEnumerable<(string Name, Parameter Parameter)> Trainable => vae.named_parameters();

    public Tensor Loss(IReadOnlyList<TrainingSample> batch)
    {
        using var scope = NewDisposeScope();
        var images = cat([.. batch.Select(Cropped)]).to(new Device(options.Device));                         // [N, 3, H, W]
        var latents = vae.Encode(images);
        var draws = cat([.. batch.Select(sample => sample.Normal(TrainingSample.Latents, [sample.Frames!.Frames, .. latents.Mean.shape[1..]]))]);
        var decoded = vae.Decode(latents.At(draws.to(images.device)));
        var divergence = (latents.Mean.Square().Add(latents.LogVar.exp()).Add(-1) - latents.LogVar).sum([1, 2, 3]).mean().Times(0.5);
        return Error(decoded - images).Add(divergence.Times(KlWeight)).MoveToOuterDisposeScope();
    }

    public IReadOnlyList<double> Validate(IReadOnlyList<TrainingSample> samples, int buckets)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var images = cat([.. samples.Select(sample => sample.Frames!.ToTensor())]).to(new Device(options.Device));
        return [Error(Reconstruct(images) - images).item<float>()];
    }

    public IReadOnlyList<(string Name, VideoFrames Clip)> Show(IReadOnlyList<TrainingSample> samples)
    {
        if (samples.Count == 0)
            return [];
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var images = cat([.. samples.Select(sample => sample.Frames!.ToTensor())]).to(new Device(options.Device));
        return [("originals-and-reconstructions", VideoFrames.FromTensor(stack([images, Reconstruct(images).to(ScalarType.Float32)], 1).flatten(0, 1).cpu()))];
    }

    public IReadOnlyList<string> Export(string folder, IReadOnlyDictionary<string, Tensor> weights, IEnumerable<TrainingSample> samples)
    {
        var output = Path.Combine(folder, "vae");
        var writer = new CheckpointWriter(options.Vae ?? options.Base, output, options.SaveType, overwrite: true);
        var state = vae.state_dict().ToDictionary(entry => entry.Key, entry => WeightTensor.Of(weights.GetValueOrDefault(entry.Key) ?? entry.Value));
        var config = JsonNode.Parse(options.FromScratch ? BaseConfigs.Find(options.Base, "vae") : VaeText())!.AsObject();
        config["scaling_factor"] = Math.Round(ScalingFactor(weights, samples), 5);
        writer.WriteFolder(partial => writer.WriteModel(partial, BaseConversion.UNetWeights, new StateDict("the training run", state), ModelConfigs.Text(config)));
        return [output];
    }

    private string VaeText()
    {
        using var files = VaeFiles.Open(TrainingModels.VaePath(options));
        return files.Config;
    }

    // Of the weights that are written, which with an average are not those of the last step.
    private double ScalingFactor(IReadOnlyDictionary<string, Tensor> weights, IEnumerable<TrainingSample> samples)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (name, parameter) in vae.named_parameters())
            parameter.copy_(weights[name]);
        var means = cat([.. samples.Take(Measured).Select(sample => vae.Encode(sample.Frames!.ToTensor()).Mean)]);
        return 1 / means.std().item<float>();
    }

    private Tensor Reconstruct(Tensor images)
    {
        using var latents = vae.Encode(images);
        return vae.Decode(latents.Mean);
    }

    private static Tensor Error(Tensor difference)
    {
        var (height, width) = (difference.shape[2], difference.shape[3]);
        var vertical = difference.narrow(2, 1, height - 1) - difference.narrow(2, 0, height - 1);
        var horizontal = difference.narrow(3, 1, width - 1) - difference.narrow(3, 0, width - 1);
        return difference.abs().mean().Add(vertical.abs().mean()).Add(horizontal.abs().mean());
    }

    private Tensor Cropped(TrainingSample sample)
    {
        var images = sample.Frames!.ToTensor();
        if (options.Crop is not { } size || size >= Math.Min(images.shape[2], images.shape[3]))
            return images;
        var top = sample.Draw.Below(TrainingSample.Crop, (int)images.shape[2] - size + 1);
        var left = sample.Draw.Below(TrainingSample.Crop + 1, (int)images.shape[3] - size + 1);
        return images.narrow(2, top, size).narrow(3, left, size);
    }

    public void Dispose() => vae.Dispose();
}
