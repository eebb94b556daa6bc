using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Lora;

/// <summary>
/// The adapters on a model: <c>W = W₀ + Σ scale · alpha/rank · Up · Down</c>. W₀ is kept of the layers that are changed, so that adapters come, go and change their
/// scale without a trace: the weights depend on the set alone, bit for bit, and not on the way to it.
/// </summary>
/// <remarks>What is computed from weights in advance (joined q/k/v, text keys and values) must be computed after <see cref="Set"/>.</remarks>
/// <param name="roots">The models by the first part of their layers' paths: <c>unet</c>, <c>text_encoder</c>.</param>
internal sealed class LoraStack(IReadOnlyDictionary<string, nn.Module> roots) : IDisposable
{
    private readonly Dictionary<string, nn.Module> _modules = roots
        .SelectMany(root => root.Value.named_modules().Select(part => (Path: $"{root.Key}.{part.name}", part.module)))
        .ToDictionary(part => part.Path, part => part.module);

    private readonly Dictionary<LoraWeights, LoraFactors> _factors = [];
    private readonly Dictionary<string, AdaptedLayer> _adapted = [];

    /// <summary>Layers of the current adapters that were left out: a MotionLoRA of v2 has a mid block, which motion modules of other versions lack.</summary>
    public IReadOnlyList<string> Skipped { get; private set; } = [];

    /// <summary>
    /// Makes these the adapters of the model, in any order; an empty list, like scales of 0, gives the original weights back. Only layers whose sum changes are
    /// computed, from matrices that stay in memory as long as their file is in the list: a new scale for every step is cheap.
    /// </summary>
    /// <exception cref="RequestException">A scale is not a finite number.</exception>
    /// <exception cref="FileException">An adapter does not fit the model or cannot be read. Nothing has been changed then.</exception>
    public void Set(IReadOnlyList<(LoraWeights Weights, double Scale)> adapters)
    {
        foreach (var (weights, scale) in adapters)
            if (!double.IsFinite(scale))
                throw new RequestException($"The scale of {weights.Path} is {scale}; it must be a finite number, usually between 0 and 1.");

        // Weights that were made in inference mode can be changed in it only, others in both.
        using var _ = inference_mode();
        var ordered = adapters
            .OrderBy(item => item.Weights.Path, StringComparer.Ordinal).ThenBy(item => item.Weights.Kind).ThenBy(item => item.Scale).ToArray();
        foreach (var (weights, _) in ordered)
            if (!_factors.ContainsKey(weights))
                _factors.Add(weights, new LoraFactors(weights, LoraFit.Check(weights, WeightOf)));
        foreach (var (weights, scale) in ordered)
            if (scale != 0)
                _factors[weights].Load(WeightOf);

        var sums = new Dictionary<string, List<(LoraWeights Weights, double Scale)>>();
        foreach (var (weights, scale) in ordered.Where(item => item.Scale != 0))
            foreach (var path in _factors[weights].Paths)
            {
                if (!sums.TryGetValue(path, out var terms))
                    sums.Add(path, terms = []);
                terms.Add((weights, scale));
            }
        Restore(path => !sums.ContainsKey(path));
        foreach (var (path, terms) in sums)
            Adapt(path, terms);
        Forget(weights => !Array.Exists(ordered, item => item.Weights == weights));
        Skipped = [.. _factors.Values.SelectMany(factors => factors.Skipped).Distinct().Order(StringComparer.Ordinal)];
    }

    private Parameter? WeightOf(string path) => _modules.TryGetValue(path, out var module) ? module.get_parameter("weight") : null;

    private void Adapt(string path, List<(LoraWeights Weights, double Scale)> terms)
    {
        var weight = WeightOf(path)!;
        if (!_adapted.TryGetValue(path, out var layer))
            _adapted.Add(path, layer = new AdaptedLayer(weight.clone().DetachFromDisposeScope()));
        if (layer.Terms.SequenceEqual(terms))
            return;
        using var scope = NewDisposeScope();
        var sum = layer.Original.to(ScalarType.Float32, copy: true);
        foreach (var (weights, scale) in terms)
            _factors[weights].AddTo(sum, path, scale);
        Put(path, sum);
        layer.Terms = terms;
    }

    // Weights that stay in fp16 in a model of fp32 give way to some in fp32, and come back: a sum in fp16 would lose what is added.
    private void Put(string path, Tensor values)
    {
        var weight = WeightOf(path)!;
        if (_modules[path] is WeightedLayer layer && weight.dtype != values.dtype && (weight.dtype == ScalarType.Float16 || values.dtype == ScalarType.Float16))
            layer.weight = new Parameter(values.clone(), requires_grad: false);
        else
            weight.copy_(values);
    }

    private void Restore(Func<string, bool> where)
    {
        foreach (var (path, layer) in _adapted.Where(entry => where(entry.Key)).ToArray())
        {
            Put(path, layer.Original);
            layer.Original.Dispose();
            _adapted.Remove(path);
        }
    }

    private void Forget(Func<LoraWeights, bool> where)
    {
        foreach (var weights in _factors.Keys.Where(where).ToArray())
        {
            _factors[weights].Dispose();
            _factors.Remove(weights);
        }
    }

    /// <summary>Frees what is kept. The weights stay as they are: call <see cref="Set"/> with an empty list before, where the original ones are wanted.</summary>
    public void Dispose()
    {
        Forget(_ => true);
        foreach (var layer in _adapted.Values)
            layer.Original.Dispose();
        _adapted.Clear();
    }

    private sealed class AdaptedLayer(Tensor original)
    {
        public Tensor Original { get; } = original;

        /// <summary>What has been added to it, in the order of addition.</summary>
        public List<(LoraWeights Weights, double Scale)> Terms { get; set; } = [];
    }
}
