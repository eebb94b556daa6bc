using AnimateDiff.Lora;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>A LoRA, MotionLoRA or domain adapter from any layout, by the path of the layers it changes. Of its tensors only the alphas are read.</summary>
public sealed class LoraFiles : IDisposable
{
    private readonly StateDict _file;

    /// <summary>File or folder it was opened from.</summary>
    public string Path { get; }

    /// <summary>What was detected.</summary>
    public ModelKind Kind { get; }

    /// <summary>The layers.</summary>
    public LoraWeights Weights { get; }

    /// <summary>Every file that was opened, for recording what a result was made with.</summary>
    public IReadOnlyList<string> Files { get; }

    private LoraFiles(string path, StateDict file, ModelKind kind, LoraWeights weights)
        => (Path, _file, Kind, Weights, Files) = (path, file, kind, weights, [.. ModelFolder.FilesOf(file)]);

    /// <summary>Opens a LoRA. What it may be used as is for <see cref="ModelPairing"/> to say.</summary>
    /// <param name="path">A file of the official, diffusers, PEFT or kohya layout, or a folder with one.</param>
    /// <exception cref="FileException">It is missing, is no LoRA, is damaged, or is of another method (LyCORIS, DoRA).</exception>
    public static LoraFiles Open(string path)
    {
        var file = ModelFolder.Open(path);
        try
        {
            var kind = ModelDetection.Detect(file);
            if (kind.Lora is null)
                throw new FileException(path, $"{path} is {KindSentences.Short(kind)}, not a LoRA{ModelPairing.Remedy(kind)}.");
            return new LoraFiles(path, file, kind, LoraTensors.Read(file).ToWeights());
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Closes the file. Tensors already read stay.</summary>
    public void Dispose() => _file.Dispose();
}
