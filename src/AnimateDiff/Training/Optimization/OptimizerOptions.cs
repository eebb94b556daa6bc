namespace AnimateDiff.Training.Optimization;

/// <summary>Hyper-parameters of <see cref="AdamW"/>; the defaults are the official training's (guoyww/AnimateDiff, <c>train.py</c>).</summary>
internal sealed record OptimizerOptions
{
    public double Beta1 { get; init; } = 0.9;
    public double Beta2 { get; init; } = 0.999;
    public double Epsilon { get; init; } = 1e-8;
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Largest global norm of the gradients, which are scaled down to it; null for no limit.</summary>
    public double? MaxGradNorm { get; init; } = 1;

    /// <summary>Decay of the moving average of the weights; null for none.</summary>
    public double? EmaDecay { get; init; }
}

/// <summary>How the learning rate goes on after warm-up.</summary>
internal enum LearningRateShape
{
    /// <summary>It stays.</summary>
    Constant,

    /// <summary>Half a cosine, to zero at the last step.</summary>
    Cosine,
}

/// <summary>The learning rate of every step.</summary>
/// <param name="Peak">Learning rate after warm-up.</param>
/// <param name="Shape">How it goes on.</param>
/// <param name="WarmUp">Steps of linear warm-up.</param>
/// <param name="Steps">Steps of the run.</param>
internal sealed record LearningRate(double Peak, LearningRateShape Shape, long WarmUp, long Steps)
{
    /// <summary>The rate of a step, counted from 1.</summary>
    public double At(long step)
    {
        if (step <= WarmUp)
            return Peak * step / WarmUp;
        var done = (step - WarmUp - 1) / (double)Math.Max(1, Steps - WarmUp);
        return Shape == LearningRateShape.Constant ? Peak : Peak * 0.5 * (1 + Math.Cos(Math.PI * Math.Min(1, done)));
    }
}
