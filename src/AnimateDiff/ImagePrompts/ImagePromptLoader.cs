using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Vision;
using AnimateDiff.Weights;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.ImagePrompts;

/// <summary>Reads IP-Adapters and the vision models they were made for.</summary>
internal static class ImagePromptLoader
{
    private const string EncoderName = "image_encoder";

    /// <summary>Folder of an image prompt's vision model.</summary>
    /// <exception cref="FileException">None is named, and there is none beside the adapter.</exception>
    public static string EncoderOf(ImagePrompt prompt)
    {
        if (prompt.Encoder is { } given)
            return given;
        var folder = Directory.Exists(prompt.IPAdapter) ? prompt.IPAdapter : Path.GetDirectoryName(Path.GetFullPath(prompt.IPAdapter))!;
        var beside = Path.Combine(folder, EncoderName);
        return Directory.Exists(beside) ? beside : throw new FileException(beside,
            $"{beside} does not exist; an IP-Adapter sees with the CLIP vision model it was published with: put its {EncoderName} folder there, or name it with --ip-encoder.");
    }

    /// <summary>Every file that an image prompt needs: pictures and weights.</summary>
    /// <exception cref="FileException">One of them is missing.</exception>
    public static IEnumerable<string> FilesOf(ImagePrompt prompt)
    {
        var encoder = EncoderOf(prompt);
        foreach (var image in prompt.Images)
            RequirePicture(image);
        using var adapterWeights = ModelFolder.Open(prompt.IPAdapter);
        using var encoderWeights = ModelFolder.Open(encoder);
        return [.. prompt.Images, .. ModelFolder.FilesOf(adapterWeights), .. ModelFolder.FilesOf(encoderWeights), .. Config(encoder)];
    }

    private static string[] Config(string encoder) => Path.Combine(encoder, "config.json") is var path && File.Exists(path) ? [path] : [];

    /// <summary>Refuses a picture that is not there.</summary>
    /// <exception cref="FileException">It does not exist.</exception>
    public static void RequirePicture(string path)
    {
        if (!File.Exists(path))
            throw new FileException(path, $"{path} does not exist; --ip-image takes the file of a picture.");
    }

    /// <summary>Reads a vision model's folder.</summary>
    /// <exception cref="FileException">It is missing, damaged or something else.</exception>
    public static ClipVisionModel Encoder(string folder, ScalarType dtype, Device device)
    {
        using var file = ModelFolder.Open(folder);
        var kind = ModelDetection.Detect(file);
        if (kind.Kind is not (CheckpointKind.ImageEncoder or CheckpointKind.Clip))
            throw new FileException(folder, $"{folder} is {KindSentences.Short(kind)}, not a CLIP vision encoder{ModelPairing.Remedy(kind)}.");
        var config = ModelFolder.Json(folder, "config.json")
            ?? throw new FileException(folder, $"{folder} has no config.json, which says how the vision encoder is built; give its whole folder.");
        var model = new ClipVisionModel(ClipVisionConfig.Parse(config, Path.Combine(folder, "config.json")), META);
        return Fill(model, file.Select(LegacyDiffusersLayout.ToDiffusers).Select(name => ClipVisionModel.Has(name) ? name : null), "CLIP vision encoder", dtype, device);
    }

    /// <summary>Reads an IP-Adapter.</summary>
    /// <param name="path">Its file or folder.</param>
    /// <param name="unet">What it is put on.</param>
    /// <param name="baseModel">What that is.</param>
    /// <param name="encoder">What it sees with.</param>
    /// <param name="dtype">Type of its weights.</param>
    /// <param name="device">Where they are.</param>
    /// <exception cref="FileException">It is missing, damaged, something else, or was not made for these models.</exception>
    public static IPAdapterModel Adapter(string path, UNetMotionModel unet, ModelKind baseModel, ClipVisionConfig encoder, ScalarType dtype, Device device)
    {
        using var files = IPAdapterFiles.Open(path, baseModel, unet.CrossAttentions.Count);
        if (files.Kind is not { CrossAttentionWidth: > 0 and var width, IPAdapter: { Tokens: > 0 and var tokens, Variant: var variant } })
            throw new FileException(path, $"{path} is an IP-Adapter whose tensors have impossible shapes; the file is damaged, get it again.");
        long[] channels = [.. unet.CrossAttentions.Select(attention => attention.Channels)];
        var plus = variant == IPAdapterVariant.Plus;
        var (takes, makes) = (files.Size(plus ? "image_proj.proj_in.weight" : "image_proj.proj.weight", 1), plus ? encoder.HiddenSize : encoder.ProjectionDim);
        if (takes != makes)
            throw new FileException(path, $"{path} was made for a vision encoder with {(plus ? "states" : "vectors")} of size {takes}, and the one given makes {makes}; "
                + "use the image_encoder folder it was published with.");
        nn.Module<Tensor, Tensor> projection = plus
            ? new Resampler(takes, ShapeOf(files), width, META)
            : new ImageProjection(takes, tokens, width, META);
        return Fill(new IPAdapterModel(projection, width, channels, META), files.Weights, "IP-Adapter", dtype, device);
    }

    private static ResamplerShape ShapeOf(IPAdapterFiles files) => new(
        (int)files.Size("image_proj.latents", 1), files.Size("image_proj.latents", 2), files.Size("image_proj.layers.0.0.to_q.weight", 0),
        NameParts.Count(files.Weights.Keys, "image_proj.layers."), files.Size("image_proj.layers.0.1.1.weight", 0));

    private static T Fill<T>(T model, StateDict weights, string name, ScalarType dtype, Device device) where T : nn.Module
    {
        try
        {
            ModuleWeights.Load(model, weights, name, dtype, device);
            model.eval();
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }
}
