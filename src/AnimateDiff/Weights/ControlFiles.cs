using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>A ControlNet or a SparseCtrl encoder, its authors' or diffusers': weights under diffusers' names, configuration as diffusers writes it. Nothing is read yet.</summary>
public sealed class ControlFiles : IDisposable
{
    private const string DifferenceMark = "difference";

    private readonly StateDict _file;

    /// <summary>File or folder it was opened from.</summary>
    public string Path { get; }

    /// <summary>What was detected.</summary>
    public ModelKind Kind { get; }

    /// <summary>The tensors.</summary>
    public StateDict Weights { get; }

    /// <summary>The folder's <c>config.json</c>, or the same derived from the shapes.</summary>
    public string Config { get; }

    /// <summary>Every file that was opened, for recording what a result was made with.</summary>
    public IReadOnlyList<string> Files { get; }

    private ControlFiles(string path, StateDict file, ModelKind kind, StateDict weights, string config)
        => (Path, _file, Kind, Weights, Config, Files) = (path, file, kind, weights, config, [.. ModelFolder.FilesOf(file)]);

    /// <summary>Opens a ControlNet or a SparseCtrl encoder.</summary>
    /// <param name="path">A diffusers folder, its weight file, or the authors' own file of a ControlNet (CompVis' layout) or of SparseCtrl.</param>
    /// <exception cref="FileException">It is missing, is something else, or holds differences from a base model.</exception>
    public static ControlFiles Open(string path)
    {
        var file = ModelFolder.Open(path);
        try
        {
            var kind = ModelDetection.Detect(file);
            if (kind.Kind is not (CheckpointKind.ControlNet or CheckpointKind.SparseControlNet))
                throw new FileException(path, $"{path} is {KindSentences.Short(kind)}, not a ControlNet{ModelPairing.Remedy(kind)}.");
            var tensors = Wrappers.Strip(file);
            if (tensors.ContainsKey(DifferenceMark))
                throw new FileException(path, $"{path} holds a ControlNet's differences from one base model instead of its weights; give the ControlNet itself.");
            var weights = kind.Layout == CheckpointLayout.CompVis ? CompVisControlLayout.ToDiffusers(tensors) : tensors.Select(OfficialMotionLayout.ToDiffusers);
            var motion = kind.Kind == CheckpointKind.SparseControlNet ? MotionShape.Of(weights) : null;
            var config = (Directory.Exists(path) ? ModelFolder.Json(path, "config.json") : null) ?? ModelConfigs.Text(ModelConfigs.Control(weights, motion));
            return new ControlFiles(path, file, kind, weights, config);
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
