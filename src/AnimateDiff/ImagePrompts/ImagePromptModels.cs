using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Video;
using AnimateDiff.Vision;
using AnimateDiff.Weights;
using ImageMagick;

namespace AnimateDiff.ImagePrompts;

/// <summary>The IP-Adapters and vision models of the request in progress; the next one uses those that it needs too, and the others are freed.</summary>
/// <param name="unet">What they are put on.</param>
/// <param name="baseModel">What that is.</param>
/// <param name="options">Of the pipeline.</param>
internal sealed class ImagePromptModels(UNetMotionModel unet, ModelKind baseModel, PipelineOptions options) : IDisposable
{
    private readonly Dictionary<Source, ClipVisionModel> _encoders = [];
    private readonly Dictionary<(Source Adapter, Source Encoder), IPAdapterModel> _adapters = [];
    private readonly List<(ImagePrompt Prompt, float[] Weights)> _shown = [];

    private readonly record struct Source(string Path, DateTime Written)
    {
        public static Source Of(string path) => new(path, File.GetLastWriteTimeUtc(path));
    }

    /// <summary>Reads what image prompts need, and frees what they do not.</summary>
    /// <exception cref="FileException">A file is missing, damaged, not what it was given as, or not made for the models.</exception>
    public void Load(IReadOnlyList<ImagePrompt> prompts)
    {
        (Source Adapter, Source Encoder)[] needed = [.. prompts.Select(Key)];
        foreach (var image in prompts.SelectMany(prompt => prompt.Images))
            ImagePromptLoader.RequirePicture(image);
        Free(_adapters, needed);
        Free(_encoders, needed.Select(key => key.Encoder));
        var device = new Device(options.Device);
        foreach (var key in needed)
        {
            if (!_encoders.TryGetValue(key.Encoder, out var encoder))
                _encoders.Add(key.Encoder, encoder = ImagePromptLoader.Encoder(key.Encoder.Path, options.DType, device));
            if (!_adapters.ContainsKey(key))
                _adapters.Add(key, ImagePromptLoader.Adapter(key.Adapter.Path, unet, baseModel, encoder.Config, options.DType, device));
        }
    }

    /// <summary>What the UNet attends to of a request's pictures, the caller's to dispose. With guidance the negative half, the first, sees what no picture looks like.</summary>
    /// <param name="request">Its image prompts have been loaded.</param>
    /// <param name="frames">F</param>
    /// <exception cref="FileException">A picture is missing or cannot be read.</exception>
    public IReadOnlyList<(Attention Layer, WeightedContext Pictures)> Project(GenerationRequest request, int frames)
    {
        var layers = new List<(Attention, WeightedContext)>();
        _shown.Clear();
        foreach (var prompt in request.ImagePrompts)
        {
            var key = Key(prompt);
            using var tokens = TokensOf(prompt, _encoders[key.Encoder], _adapters[key], request.IsGuided);
            var weights = prompt.WeightsOf(frames, 0, 1);
            layers.AddRange(_adapters[key].Project(unet, tokens, weights));
            _shown.Add((prompt, weights));
        }
        return layers;
    }

    /// <summary>Gives the pictures their weights in a step: all layers share an array of weights, which is written over.</summary>
    /// <param name="step">Number of the step, from 0.</param>
    /// <param name="steps">How many are run.</param>
    public void MoveTo(int step, int steps)
    {
        foreach (var (prompt, weights) in _shown)
            prompt.WeightsOf(weights.Length, step, steps).CopyTo(weights, 0);
    }

    /// <summary>Every file that image prompts read: pictures and weights.</summary>
    /// <exception cref="FileException">One is missing or is something else.</exception>
    public static IEnumerable<string> FilesOf(IReadOnlyList<ImagePrompt> prompts) => prompts.SelectMany(ImagePromptLoader.FilesOf);

    public void Dispose() => Load([]);

    private static (Source Adapter, Source Encoder) Key(ImagePrompt prompt) => (Source.Of(prompt.IPAdapter), Source.Of(ImagePromptLoader.EncoderOf(prompt)));

    /// <summary>[1, n·tokens, width] of n pictures, or with guidance [2, n·tokens, width].</summary>
    private static Tensor TokensOf(ImagePrompt prompt, ClipVisionModel encoder, IPAdapterModel adapter, bool guided)
    {
        using var scope = NewDisposeScope();
        var weight = encoder.parameters().First();
        var pictures = cat([.. prompt.Images.Select(path => ClipPictures.Prepare(Read(path), encoder.Config.ImageSize))]).to(weight.dtype, weight.device);   // [n, 3, S, S]
        var seen = adapter.TakesPatches ? encoder.Patches(pictures) : encoder.call(pictures);
        var tokens = Row(seen);
        if (!guided)
            return tokens.MoveToOuterDisposeScope();
        var unseen = adapter.TakesPatches ? encoder.Patches(zeros_like(pictures)) : zeros_like(seen);
        return cat([Row(unseen), tokens]).MoveToOuterDisposeScope();

        Tensor Row(Tensor states) => adapter.Tokens(states).flatten(0, 1).unsqueeze(0);         // [n, tokens, width] → [1, n·tokens, width]
    }

    /// <summary>A picture; of an animation the first frame.</summary>
    private static VideoFrames Read(string path)
    {
        ImagePromptLoader.RequirePicture(path);
        try
        {
            var picture = PictureReader.Read(path, FileKinds.Of(path)).First();
            return new VideoFrames(1, picture.Height, picture.Width, picture.Pixels);
        }
        catch (Exception error) when (error is IOException or InvalidOperationException or UnauthorizedAccessException or MagickException)
        {
            throw new FileException(path, $"{path} cannot be read as a picture ({error.Message.TrimEnd('.')}); --ip-image takes PNG, JPEG, WebP, GIF and BMP files.", error);
        }
    }

    private static void Free<TKey, TModel>(Dictionary<TKey, TModel> models, IEnumerable<TKey> needed) where TKey : notnull where TModel : nn.Module
    {
        foreach (var key in models.Keys.Except(needed).ToList())
        {
            models[key].Dispose();
            models.Remove(key);
        }
    }
}
