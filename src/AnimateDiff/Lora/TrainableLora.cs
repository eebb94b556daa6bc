using TorchSharp.Modules;

namespace AnimateDiff.Lora;

/// <summary>
/// Low-rank matrices beside linear layers, as they are trained: y = W·x + Up·Down·x. The layers stay as they are; the matrices act through forward hooks, so gradients
/// reach them and nothing else. They are fp32 and are cast to the type of the activations.
/// </summary>
internal sealed class TrainableLora : IDisposable
{
    private readonly List<Action> _removeHooks = [];

    /// <summary>Matrices by the path of their layer, <c>unet.…to_q</c>: Down [r, in] and Up [out, r].</summary>
    public IReadOnlyDictionary<string, (Parameter Down, Parameter Up)> Layers { get; }

    /// <param name="layers">Linear layers by their path, with <c>unet.</c> in front.</param>
    /// <param name="rank">r</param>
    /// <param name="seed">Seed of the first matrices: Down is N(0, 1/r), Up is zero, as in the official code, so training starts with no change.</param>
    public TrainableLora(IEnumerable<(string Path, Linear Layer)> layers, int rank, ulong seed)
    {
        using var generator = new Generator(seed, CPU);
        using var spread = (1.0 / rank).ToScalar();
        var made = new Dictionary<string, (Parameter Down, Parameter Up)>();
        foreach (var (path, layer) in layers.OrderBy(entry => entry.Path, StringComparer.Ordinal))
        {
            var (rows, columns) = (layer.weight.shape[0], layer.weight.shape[1]);
            var device = layer.weight.device;
            using var draw = randn([rank, columns], ScalarType.Float32, CPU, generator: generator);
            var down = new Parameter(draw.mul_(spread).to(device, copy: true).DetachFromDisposeScope());
            var up = new Parameter(zeros([rows, rank], ScalarType.Float32, device).DetachFromDisposeScope());
            made.Add(path, ((Parameter)down.DetachFromDisposeScope(), (Parameter)up.DetachFromDisposeScope()));
            _removeHooks.Add(layer.register_forward_hook((_, input, output) => Add(output, input, down, up)).remove);
        }
        Layers = made;
    }

    /// <summary>The matrices as parameters, named after path and part.</summary>
    public IEnumerable<(string Name, Parameter Parameter)> Parameters =>
        Layers.SelectMany(layer => new[] { ($"{layer.Key}.down", layer.Value.Down), ($"{layer.Key}.up", layer.Value.Up) });

    /// <summary>Takes over the matrices of a file that was trained for the same layers with the same rank.</summary>
    /// <exception cref="FileException">Its layers or ranks are others.</exception>
    public void Load(LoraWeights weights)
    {
        var missing = Layers.Keys.Where(path => !weights.Layers.ContainsKey(path)).Order(StringComparer.Ordinal).ToArray();
        var other = Layers.Where(layer => weights.Layers.TryGetValue(layer.Key, out var file) && !file.Down.Shape.SequenceEqual(layer.Value.Down.shape)).Select(layer => layer.Key).ToArray();
        if (missing.Length + other.Length > 0 || weights.Layers.Count != Layers.Count)
            throw new FileException(weights.Path, $"{weights.Path} does not fit the LoRA being trained: {weights.Layers.Count} layers found, {Layers.Count} expected, {missing.Length} missing, {other.Length} of another rank; train with its rank or start without it.");
        using var _ = no_grad();
        foreach (var (path, (down, up)) in Layers)
        {
            var layer = weights.Layers[path];
            using var scope = NewDisposeScope();
            down.copy_(layer.Down.Read());
            up.copy_(layer.Up.Read().Times(layer.Scale));
        }
    }

    private static Tensor Add(Tensor output, Tensor input, Parameter down, Parameter up)
    {
        using var scope = NewDisposeScope();
        var change = nn.functional.linear(nn.functional.linear(input, down.to(input.dtype)), up.to(input.dtype));
        return output.Add(change).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _removeHooks.ForEach(remove => remove());
        foreach (var (down, up) in Layers.Values)
        {
            down.Dispose();
            up.Dispose();
        }
    }
}
