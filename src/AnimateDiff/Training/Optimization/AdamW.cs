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
        var norm = gradients.Length == 0 ? 0 : Math.Sqrt(stack([.. gradients.Select(entry => entry.Gradient!.mul(entry.Gradient).sum(ScalarType.Float64))]).sum().item<double>());
        if (double.IsFinite(norm))
        {
            Steps++;
            var clip = _options.MaxGradNorm is { } most ? Math.Min(1, most / (norm + 1e-6)) : 1;
            using var numbers = new Numbers(_options, Steps, learningRate, clip);
            foreach (var (tensor, gradient) in gradients)
                Update(tensor, gradient!, numbers);
        }
        foreach (var tensor in _tensors)
            tensor.Clear();
        return norm;
    }

    private static void Update(TrainedTensor tensor, Tensor gradient, Numbers numbers)
    {
        using var scope = NewDisposeScope();
        gradient.mul_(numbers.Clip);
        var master = tensor.Master.mul_(numbers.Decay);
        tensor.Mean.mul_(numbers.Beta1).add_(gradient, numbers.Rest1);
        tensor.Square.mul_(numbers.Beta2).addcmul_(gradient, gradient, numbers.Rest2);
        var denominator = tensor.Square.sqrt().div_(numbers.Correction).add_(numbers.Epsilon, Scalars.One);
        master.addcdiv_(tensor.Mean, denominator, numbers.Rate);
        tensor.Average?.mul_(numbers.Kept).add_(master, numbers.Added);
        tensor.Publish();
    }

    /// <summary>The numbers of a step, made once for all its tensors.</summary>
    private sealed class Numbers(OptimizerOptions options, long step, double learningRate, double clip) : IDisposable
    {
        public readonly Scalar Clip = clip.ToScalar(), Decay = (1 - learningRate * options.WeightDecay).ToScalar(), Epsilon = options.Epsilon.ToScalar();
        public readonly Scalar Beta1 = options.Beta1.ToScalar(), Rest1 = (1 - options.Beta1).ToScalar(), Beta2 = options.Beta2.ToScalar(), Rest2 = (1 - options.Beta2).ToScalar();
        public readonly Scalar Correction = Math.Sqrt(1 - Math.Pow(options.Beta2, step)).ToScalar(), Rate = (-learningRate / (1 - Math.Pow(options.Beta1, step))).ToScalar();
        public readonly Scalar Kept = KeptOf(options, step).ToScalar(), Added = (1 - KeptOf(options, step)).ToScalar();

        // warmed up, as Polyak averages of short runs need (tf.train.ExponentialMovingAverage)
        private static double KeptOf(OptimizerOptions options, long step) => Math.Min(options.EmaDecay ?? 1, (1.0 + step) / (10.0 + step));

        public void Dispose() => Array.ForEach([Clip, Decay, Epsilon, Beta1, Rest1, Beta2, Rest2, Correction, Rate, Kept, Added], number => number.Dispose());
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
