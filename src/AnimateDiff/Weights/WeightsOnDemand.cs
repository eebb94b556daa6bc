namespace AnimateDiff.Weights;

/// <summary>A model, built without weights, that has them between <see cref="Filled"/> and <see cref="Release"/>.</summary>
/// <param name="model">The model, on the meta device; disposed with this.</param>
/// <param name="fill">Reads its weights.</param>
internal sealed class WeightsOnDemand<TModel>(TModel model, Action<TModel> fill) : IDisposable where TModel : nn.Module
{
    private bool _filled;

    /// <summary>The model, with or without weights: for its configuration and its shape.</summary>
    public TModel Model => model;

    /// <summary>The model with weights, which are read where they are not there.</summary>
    /// <exception cref="CheckpointException">They are not the model's.</exception>
    public TModel Filled()
    {
        if (!_filled)
            fill(model);
        _filled = true;
        return model;
    }

    /// <summary>Lets go of the weights, and gives their memory back to the system.</summary>
    public void Release()
    {
        if (!_filled)
            return;
        ModuleWeights.Unload(model);
        _filled = false;
        NativeHeap.Trim();
    }

    public void Dispose() => model.Dispose();
}
