using AnimateDiff.Denoising;

namespace AnimateDiff.Lora;

/// <summary>The adapters of a request on its models, at their strength in each step and frame.</summary>
/// <param name="unet">The UNet.</param>
/// <param name="textEncoder">The text encoder; texts are encoded once, at the strengths of the first step and frame.</param>
internal sealed class RequestAdapters(UNetMotionModel unet, nn.Module textEncoder) : IDisposable
{
    private const string UNet = "unet.";

    private readonly LoraStack _merged = new(new Dictionary<string, nn.Module> { ["unet"] = unet, ["text_encoder"] = textEncoder });
    private readonly FrameLoras _beside = new(unet);
    private (LoraWeights Weights, Curve Scale)[] _adapters = [];
    private double[] _scales = [];

    /// <summary>Whether one's strength changes over the frames, so that each has keys and values of its own.</summary>
    public bool ChangeOverFrames => _beside.Any;

    /// <summary>Layers of MotionLoRAs that the motion module lacks.</summary>
    public IReadOnlyList<string> Skipped => [.. _merged.Skipped.Union(_beside.Skipped).Order(StringComparer.Ordinal)];

    /// <summary>Makes these the adapters, at their strength in the first step.</summary>
    /// <param name="adapters">In any order.</param>
    /// <param name="freeNoise">The request's.</param>
    /// <exception cref="RequestException">A strength is not finite, or cannot change over frames.</exception>
    /// <exception cref="FileException">An adapter does not fit the models or cannot be read.</exception>
    public void Start(IReadOnlyList<(LoraWeights Weights, Curve Scale)> adapters, FreeNoise? freeNoise = null)
    {
        var overFrames = adapters.Where(adapter => adapter.Scale.IsOverFrames).ToArray();
        if (freeNoise is not null && overFrames.FirstOrDefault(adapter => adapter.Weights.Layers.Keys.Any(UNetMotionModel.IsMotion)).Weights is { } motion)
            throw new RequestException($"The strength of {motion.Path} changes over the frames, which FreeNoise mixes within the motion module that it changes: use context windows.");
        _beside.Set([.. overFrames.Select(adapter => (Part(adapter.Weights, inUNet: true), adapter.Scale)).Where(part => part.Item1.Layers.Count > 0)]);
        _adapters =
        [
            .. adapters.Where(adapter => !adapter.Scale.IsOverFrames),
            .. overFrames.Select(adapter => (Part(adapter.Weights, inUNet: false), (Curve)adapter.Scale.InFrame(0))).Where(part => part.Item1.Layers.Count > 0),
        ];
        Merge([.. _adapters.Select(adapter => adapter.Scale.AtStep(0, 1).InFrame(0))]);
    }

    /// <summary>Brings strengths to their values in a step; of keys and values of the text, from <see cref="Prepare"/>, says whether they have changed.</summary>
    /// <param name="step">Number of the step, from 0.</param>
    /// <param name="steps">How many are run.</param>
    public bool MoveTo(int step, int steps)
    {
        double[] scales = [.. _adapters.Select(adapter => adapter.Scale.AtStep(step, steps).InFrame(0))];
        if (scales.SequenceEqual(_scales))
            return false;
        Merge(scales);
        return true;
    }

    /// <summary>Keys and values of the text for the UNet with the adapters: where one changes over frames, a row for each frame.</summary>
    /// <param name="embeddings">One row for each clip or for each frame of them, [B, L, D] or [B·F, L, D].</param>
    /// <param name="window">The frames they are for; null for all.</param>
    /// <param name="frames">F</param>
    /// <param name="perFrame">Whether they are one for each frame.</param>
    public TextContext Prepare(Tensor embeddings, long[]? window, int frames, bool perFrame)
    {
        if (!ChangeOverFrames)
            return unet.Prepare(embeddings);
        var count = window?.Length ?? frames;
        using var rows = perFrame ? embeddings.alias() : embeddings.repeat_interleave(count, 0);
        unet.InView.Show(rows.shape[0] / count, count, window);
        return unet.Prepare(rows);
    }

    public void Dispose()
    {
        _merged.Dispose();
        _beside.Dispose();
    }

    private void Merge(double[] scales)
    {
        _merged.Set([.. _adapters.Zip(scales, (adapter, scale) => (adapter.Weights, scale))]);
        _scales = scales;
    }

    private static LoraWeights Part(LoraWeights weights, bool inUNet)
        => new(weights.Path, weights.Kind, weights.Layers.Where(layer => layer.Key.StartsWith(UNet, StringComparison.Ordinal) == inUNet).ToDictionary());
}
