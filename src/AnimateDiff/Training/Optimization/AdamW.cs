using TorchSharp.Modules;

namespace AnimateDiff.Training.Optimization;

/// <summary>
/// AdamW (Loshchilov and Hutter 2019, algorithm 2) over named parameters, with gradient accumulation, clipping by the global norm and an exponential moving average.
/// Own code, since its state must be saved by name in safetensors and its weights must be fp32 where the model computes in bf16.
/// </summary>
internal sealed class AdamW : IDisposable
{
    private readonly OptimizerOptions _options;
    private readonly TrainedTensor[] _tensors;

    /// <param name="parameters">What is trained, by name; their <c>requires_grad</c> is set.</param>
    /// <param name="options">Hyper-parameters.</param>
    public AdamW(IEnumerable<(string Name, Parameter Parameter)> parameters, OptimizerOptions options)
    {
        _options = options;
        _tensors = [.. parameters.OrderBy(entry => entry.Name, StringComparer.Ordinal).Select(entry => new TrainedTensor(entry.Name, entry.Parameter, options.EmaDecay is not null))];
        if (_tensors.Length == 0)
            throw new ArgumentException("Nothing is trained.", nameof(parameters));
    }

    /// <summary>Steps taken so far.</summary>
    public long Steps { get; private set; }

    /// <summary>Number of trained values.</summary>
    public long Count => _tensors.Sum(tensor => tensor.Master.numel());

    /// <summary>Moves the gradients of a backward pass into the fp32 sums, so that accumulating in bf16 loses nothing.</summary>
    public void Collect()
    {
        using var _ = no_grad();
        foreach (var tensor in _tensors)
            tensor.Collect();
    }

    /// <summary>One update from the collected gradients, which are cleared.</summary>
    /// <param name="learningRate">Learning rate of this step.</param>
    /// <returns>The global norm of the gradients before clipping; where it is not finite nothing has been changed.</returns>
    public double Step(double learningRate)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var gradients = _tensors.Select(tensor => (Tensor: tensor, tensor.Gradient)).Where(entry => entry.Gradient is not null).ToArray();
        var norm = gradients.Length == 0 ? 0 : Math.Sqrt(stack([.. gradients.Select(entry => entry.Gradient!.square().sum(ScalarType.Float64))]).sum().item<double>());
        if (double.IsFinite(norm))
        {
            Steps++;
            var clip = _options.MaxGradNorm is { } most ? Math.Min(1, most / (norm + 1e-6)) : 1;
            foreach (var (tensor, gradient) in gradients)
                Update(tensor, gradient!, learningRate, clip);
        }
        foreach (var tensor in _tensors)
            tensor.Clear();
        return norm;
    }

    private void Update(TrainedTensor tensor, Tensor gradient, double learningRate, double clip)
    {
        using var scope = NewDisposeScope();
        var (beta1, beta2) = (_options.Beta1, _options.Beta2);
        gradient.mul_(clip);
        var master = tensor.Master.mul_(1 - learningRate * _options.WeightDecay);
        tensor.Mean.mul_(beta1).add_(gradient, alpha: 1 - beta1);
        tensor.Square.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
        var denominator = tensor.Square.sqrt().div_(Math.Sqrt(1 - Math.Pow(beta2, Steps))).add_(_options.Epsilon);
        master.addcdiv_(tensor.Mean, denominator, -learningRate / (1 - Math.Pow(beta1, Steps)));
        if (_options.EmaDecay is { } decay)                                             // warmed up, as Polyak averages of short runs need (tf.train.ExponentialMovingAverage)
        {
            var kept = Math.Min(decay, (1.0 + Steps) / (10.0 + Steps));
            tensor.Average!.mul_(kept).add_(master, alpha: 1 - kept);
        }
        tensor.Publish();
    }

    /// <summary>The trained weights in fp32, and their moving average where there is one.</summary>
    /// <param name="averaged">Whether the average is wanted.</param>
    public IEnumerable<(string Name, Tensor Tensor)> Weights(bool averaged) =>
        _tensors.Select(tensor => (tensor.Name, averaged ? tensor.Average ?? tensor.Master : tensor.Master));

    /// <summary>Puts the average into the model, or the weights back. No step may be taken in between.</summary>
    /// <param name="averaged">Whether the average is wanted.</param>
    public void Use(bool averaged)
    {
        using var _ = no_grad();
        foreach (var tensor in _tensors)
            tensor.Show(averaged);
    }

    /// <summary>Everything that a resumed run needs: <c>weight.</c>, <c>mean.</c>, <c>square.</c> and <c>average.</c> with the name of each parameter.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> State() => _tensors.SelectMany(tensor => tensor.State());

    /// <summary>Takes a state up again.</summary>
    /// <param name="state">Tensors by the names of <see cref="State"/>; names and shapes have been checked.</param>
    /// <param name="steps">Steps taken when it was saved.</param>
    public void Restore(IReadOnlyDictionary<string, Weights.WeightTensor> state, long steps)
    {
        using var _ = no_grad();
        foreach (var (name, own) in State())
        {
            using var read = state[name].Read();
            own.copy_(read);
        }
        Steps = steps;
        foreach (var tensor in _tensors)
            tensor.Publish();
    }

    public void Dispose()
    {
        foreach (var tensor in _tensors)
            tensor.Dispose();
    }
}
