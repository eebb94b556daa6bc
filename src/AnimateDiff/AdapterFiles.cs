using AnimateDiff.Lora;
using AnimateDiff.Weights;

namespace AnimateDiff;

/// <summary>The adapter files a pipeline has used, opened once, and checked against what they were given as and what they are put on.</summary>
internal sealed class AdapterFiles(ModelKind baseModel, ModelKind? motion, bool force) : IDisposable
{
    private readonly Dictionary<(string Path, DateTime Written), LoraFiles> _open = [];

    /// <summary>The low-rank layers of a file.</summary>
    /// <exception cref="RequestException">A MotionLoRA is given and there is no motion module.</exception>
    /// <exception cref="FileException">It is missing or damaged, is not what it was given as, or was not made for the models.</exception>
    public LoraWeights Open(Adapter adapter)
    {
        var key = (adapter.Path, File.GetLastWriteTimeUtc(adapter.Path));
        if (!_open.TryGetValue(key, out var file))
            _open.Add(key, file = LoraFiles.Open(adapter.Path));
        switch (adapter.Role)
        {
            case AdapterRole.DomainAdapter:
                ModelPairing.CheckDomainAdapter(adapter.Path, file.Kind, baseModel);
                break;
            case AdapterRole.MotionLora:
                ModelPairing.CheckMotionLora(adapter.Path, file.Kind,
                    motion ?? throw new RequestException($"{adapter.Path} is given as a MotionLoRA, and there is no motion module for it to change: pass one."), force);
                break;
            default:
                ModelPairing.CheckLora(adapter.Path, file.Kind, baseModel);
                break;
        }
        return file.Weights;
    }

    public void Dispose()
    {
        foreach (var file in _open.Values)
            file.Dispose();
        _open.Clear();
    }
}
