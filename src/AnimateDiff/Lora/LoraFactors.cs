using TorchSharp.Modules;

namespace AnimateDiff.Lora;

/// <summary>The matrices of one adapter in memory, in the type of the file.</summary>
internal sealed class LoraFactors(LoraWeights weights, IReadOnlyList<string> skipped) : IDisposable
{
    private readonly Dictionary<string, (Tensor Up, Tensor Down)> _factors = [];

    /// <summary>Layers that the model has.</summary>
    public IReadOnlyList<string> Paths { get; } = [.. weights.Layers.Keys.Except(skipped)];

    /// <summary>Layers that the model may lack.</summary>
    public IReadOnlyList<string> Skipped { get; } = skipped;

    /// <summary>Reads the matrices, if that has not been done, to the device of the weight they belong to.</summary>
    public void Load(Func<string, Parameter?> weightOf)
    {
        foreach (var path in Paths.Where(path => !_factors.ContainsKey(path)))
        {
            using var scope = NewDisposeScope();
            var device = weightOf(path)!.device;
            var (down, up, _) = weights.Layers[path];
            // [out, r] and [r, in·kh·kw]: the 1×1 of a convolution's second half is no size, and the first half's window belongs to its inputs
            _factors.Add(path, (up.Read().flatten(1).to(device).DetachFromDisposeScope(), down.Read().flatten(1).to(device).DetachFromDisposeScope()));
        }
    }

    /// <summary>Adds <c>scale · alpha/rank · Up · Down</c> to a weight in fp32.</summary>
    public void AddTo(Tensor sum, string path, double scale)
    {
        using var scope = NewDisposeScope();
        var (up, down) = _factors[path];
        var change = up.to(ScalarType.Float32).matmul(down.to(ScalarType.Float32));
        using var factor = (scale * weights.Layers[path].Scale).ToScalar();
        sum.add_(change.view(sum.shape), factor);
    }

    public void Dispose()
    {
        foreach (var (up, down) in _factors.Values)
        {
            up.Dispose();
            down.Dispose();
        }
        _factors.Clear();
    }
}
