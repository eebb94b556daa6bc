namespace AnimateDiff.Noise;

/// <summary>One generation with a <see cref="Scheduler"/>: holds what a multistep sampler remembers of earlier steps.</summary>
public abstract class SchedulerRun : IDisposable
{
    private readonly Scheduler _scheduler;
    private int? _next;

    private protected SchedulerRun(Scheduler scheduler) => _scheduler = scheduler;

    /// <summary>One evaluation further: from the model's output at <see cref="Scheduler.Timesteps"/>[index] to the next sample.</summary>
    /// <param name="modelOutput">Output of the model for the scaled sample, of the sample's shape; guidance already applied.</param>
    /// <param name="index">Which evaluation this is; consecutive, from 0 or from <see cref="Scheduler.StartIndex"/>.</param>
    /// <param name="sample">The unscaled sample, any shape.</param>
    /// <param name="generator">CPU generator the stochastic samplers draw their noise from; the others leave it alone.</param>
    /// <returns>The next sample in the type of <paramref name="sample"/>; computed in single precision.</returns>
    public Tensor Step(Tensor modelOutput, int index, Tensor sample, Generator? generator = null)
    {
        CheckOrder(index);
        if (!modelOutput.shape.SequenceEqual(sample.shape))
        {
            throw new ArgumentException(
                $"The model's output is [{string.Join(", ", modelOutput.shape)}]; expected the sample's shape, [{string.Join(", ", sample.shape)}].",
                nameof(modelOutput));
        }
        using var scope = NewDisposeScope();
        var next = Advance(modelOutput.to(ScalarType.Float32), index, sample.to(ScalarType.Float32), generator).Tensor.to(sample.dtype);
        _next = index + 1;
        return next.MoveToOuterDisposeScope();
    }

    /// <summary>Everything it remembers of earlier steps, in a fixed order; tensors of the sample's shape.</summary>
    internal virtual IReadOnlyList<TensorHistory> Memory => [];

    /// <summary>Goes on where another run of this scheduler was, before the first step of this one.</summary>
    /// <param name="next">The evaluation that comes next.</param>
    /// <param name="memory">What that run remembered, newest first, in the order of <see cref="Memory"/>.</param>
    internal void Continue(int next, IReadOnlyList<IReadOnlyList<Tensor>> memory)
    {
        _next = next;
        foreach (var (history, tensors) in Memory.Zip(memory))
            foreach (var tensor in tensors.Reverse())
                history.Push(tensor);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var history in Memory)
            history.Dispose();
        GC.SuppressFinalize(this);
    }

    private void CheckOrder(int index)
    {
        if (index < 0 || index >= _scheduler.Timesteps.Count)
            throw new ArgumentOutOfRangeException(nameof(index), index, $"The run has evaluations 0 to {_scheduler.Timesteps.Count - 1}.");
        if (_next is { } expected && index != expected)
            throw new ArgumentException($"Evaluation {index} cannot come now; the next one is {expected}.", nameof(index));
        if (_next is null && !Enumerable.Range(0, _scheduler.Steps).Any(step => _scheduler.EntryOfStep(step) == index))
            throw new ArgumentException($"A run cannot start at evaluation {index}, in the middle of a step.", nameof(index));
    }

    /// <summary>The sampler's step in single precision, in a dispose scope of its own.</summary>
    private protected abstract Operand Advance(Operand output, int index, Operand sample, Generator? generator);
}

/// <summary>A run of a sampler that remembers nothing.</summary>
internal sealed class MemorylessRun(Scheduler scheduler, Func<Operand, int, Operand, Generator?, Operand> step) : SchedulerRun(scheduler)
{
    private protected override Operand Advance(Operand output, int index, Operand sample, Generator? generator)
        => step(output, index, sample, generator);
}

/// <summary>The last few tensors of a run, newest first; they outlive the dispose scope of the step that made them.</summary>
internal sealed class TensorHistory(int capacity) : IDisposable
{
    private readonly List<Tensor> _tensors = [];

    public int Count => _tensors.Count;

    /// <summary>The tensor pushed <paramref name="age"/> pushes before the newest.</summary>
    public Operand this[int age] => _tensors[age];

    public void Push(Tensor tensor)
    {
        _tensors.Insert(0, tensor.alias().DetachFromDisposeScope());
        if (_tensors.Count <= capacity)
            return;
        _tensors[^1].Dispose();
        _tensors.RemoveAt(_tensors.Count - 1);
    }

    public void Dispose()
    {
        _tensors.ForEach(tensor => tensor.Dispose());
        _tensors.Clear();
    }
}
