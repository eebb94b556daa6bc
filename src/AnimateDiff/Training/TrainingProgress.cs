namespace AnimateDiff.Training;

/// <summary>How far a training is.</summary>
/// <param name="Step">Optimizer steps done, from 0; a resumed run goes on counting.</param>
/// <param name="Steps">Optimizer steps there will be.</param>
/// <param name="Loss">Mean squared error of the predicted noise, smoothed; NaN before the first step.</param>
/// <param name="LearningRate">Learning rate of this step.</param>
/// <param name="ClipsPerSecond">Clips (or images) trained on in a second.</param>
/// <param name="Left">Time left at this speed; null before it is known.</param>
/// <param name="Message">A line to show, such as a checkpoint written or a clip that could not be read; null when there is nothing to say.</param>
public sealed record TrainingProgress(long Step, long Steps, double Loss, double LearningRate, double ClipsPerSecond, TimeSpan? Left, string? Message)
{
    /// <summary>Folder of the run, from which a stopped one is resumed; null before it is known.</summary>
    public string? Folder { get; init; }
}
