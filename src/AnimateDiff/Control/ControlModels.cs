using AnimateDiff.Weights;

namespace AnimateDiff.Control;

/// <summary>The control networks of a pipeline's current request. They are as large as half a base model, so those of earlier requests are let go of.</summary>
internal sealed class ControlModels(ModelKind baseModel, PipelineOptions options) : IDisposable
{
    private readonly Dictionary<(string Path, CheckpointKind Kind), (DateTime Written, ControlEncoder Model)> _open = [];

    /// <summary>Reads the networks of a request that are not in place yet, and lets go of all others.</summary>
    /// <exception cref="FileException">One is missing or damaged, is not what it was given as, or was not made for the base model.</exception>
    public void Set(GenerationRequest request)
    {
        var wanted = request.Controls.Select(control => (control.Path, Kind: CheckpointKind.ControlNet)).ToList();
        if (request.Sparse is { } sparse)
            wanted.Add((sparse.Path, CheckpointKind.SparseControlNet));
        foreach (var (network, (written, model)) in _open.ToList())
            if (!wanted.Contains(network) || File.GetLastWriteTimeUtc(network.Path) != written)
            {
                model.Dispose();
                _open.Remove(network);
            }
        foreach (var network in wanted)
        {
            if (!_open.ContainsKey(network))
                _open.Add(network, (File.GetLastWriteTimeUtc(network.Path), Load(network.Path, network.Kind)));
        }
        if (request.Sparse is { } own)
        {
            var encoder = Sparse(own.Path);
            encoder.ComputesPositions = request.Semantics == Semantics.Official;
            encoder.MotionNormAcrossFrames = request.Semantics == Semantics.Diffusers;
        }
    }

    /// <summary>A ControlNet of the current request.</summary>
    public ControlNetModel Net(string path) => (ControlNetModel)_open[(path, CheckpointKind.ControlNet)].Model;

    /// <summary>A SparseCtrl encoder of the current request.</summary>
    public SparseControlNetModel Sparse(string path) => (SparseControlNetModel)_open[(path, CheckpointKind.SparseControlNet)].Model;

    /// <summary>Every file a request's control reads: weights and pictures.</summary>
    /// <exception cref="FileException">One is missing or is something else.</exception>
    public static IEnumerable<string> FilesOf(GenerationRequest request, int frames)
    {
        IEnumerable<string> models = [.. request.Controls.Select(control => control.Path), .. request.Sparse is { } own ? [own.Path] : Array.Empty<string>()];
        return
        [
            .. models.Distinct().SelectMany(path =>
            {
                using var files = ControlFiles.Open(path);
                return files.Files;
            }),
            .. request.Controls.SelectMany(control => ControlPictures.FilesOf(control.Images, frames)),
            .. request.Sparse?.Images.Select(image => image.Path) ?? [],
        ];
    }

    public void Dispose()
    {
        foreach (var (_, model) in _open.Values)
            model.Dispose();
        _open.Clear();
    }

    private ControlEncoder Load(string path, CheckpointKind kind)
    {
        using var files = ControlFiles.Open(path);
        ModelPairing.CheckControl(path, files.Kind, kind, baseModel);
        var config = ControlConfig.Parse(files.Config, path);
        ControlEncoder model = kind == CheckpointKind.ControlNet ? new ControlNetModel(config, META) : new SparseControlNetModel(config, META);
        try
        {
            ModuleWeights.Load(model, files.Weights, kind == CheckpointKind.ControlNet ? "ControlNet" : "SparseCtrl encoder", options.DType, new Device(options.Device), keepsHalves: options.KeepsHalves);
            if (model is SparseControlNetModel sparse)
                sparse.RoundPositions(files.Weights.First(entry => entry.Key.EndsWith("motion_modules.0.proj_in.weight", StringComparison.Ordinal)).Value.DType);
            model.PieceSize = options.Memory == MemoryUse.Low ? options.PieceSize : null;
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
