using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>An IP-Adapter, plain or plus: what it is and its tensors under the official names. Nothing is read yet.</summary>
internal sealed class IPAdapterFiles : IDisposable
{
    private readonly StateDict _file;

    /// <summary>File or folder it was opened from.</summary>
    public string Path { get; }

    /// <summary>What was detected.</summary>
    public ModelKind Kind { get; }

    /// <summary>The tensors.</summary>
    public StateDict Weights { get; }

    private IPAdapterFiles(string path, StateDict file, ModelKind kind, StateDict weights) => (Path, _file, Kind, Weights) = (path, file, kind, weights);

    /// <summary>Opens an IP-Adapter.</summary>
    /// <param name="path">Its file, .safetensors or .bin, or a folder with one.</param>
    /// <param name="baseModel">What it is to be used with.</param>
    /// <param name="crossAttentions">How many layers of it attend to the text.</param>
    /// <exception cref="FileException">It is missing, is something else or of another build, or was made for another base model.</exception>
    public static IPAdapterFiles Open(string path, ModelKind baseModel, int crossAttentions)
    {
        var file = ModelFolder.Open(path);
        try
        {
            var kind = ModelDetection.Detect(file);
            ModelPairing.CheckControl(path, kind, CheckpointKind.IPAdapter, baseModel);
            var traits = kind.IPAdapter!;
            if (traits.Variant is not (IPAdapterVariant.Plain or IPAdapterVariant.Plus))
                throw new FileException(path, $"{path} is {KindSentences.Short(kind)}, which is not supported; use a plain IP-Adapter such as ip-adapter_sd15, or a Plus one.");
            if (traits.Layers != crossAttentions)
                throw new FileException(path, $"{path} is an IP-Adapter for {traits.Layers} cross-attention layers, and the base model has {crossAttentions}; use one made for this base model.");
            return new IPAdapterFiles(path, file, kind, Wrappers.Strip(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>A tensor's size along a dimension.</summary>
    /// <exception cref="FileException">There is no such tensor or dimension.</exception>
    public long Size(string name, int dimension) => Weights.TryGetValue(name, out var tensor) && tensor.Shape.Count > dimension ? tensor.Shape[dimension]
        : throw new FileException(Path, $"{Path} is an IP-Adapter without {name}, or with one of another shape; the file is damaged or of an unknown build.");

    /// <summary>Closes the file. Tensors already read stay.</summary>
    public void Dispose() => _file.Dispose();
}
