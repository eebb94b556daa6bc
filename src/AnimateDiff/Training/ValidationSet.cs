using AnimateDiff.Training.Dataset;
using AnimateDiff.Training.Recipes;

namespace AnimateDiff.Training;

/// <summary>Held-out samples, the same at every look.</summary>
/// <param name="Samples">The samples; empty where the recipe names no data for it.</param>
internal sealed record ValidationSet(IReadOnlyList<TrainingSample> Samples)
{
    /// <summary>Reads them, evenly spread over their data set.</summary>
    public static ValidationSet Open(TrainingRecipe recipe, CancellationToken cancellationToken)
    {
        if (recipe.Validation!.Data is not { } data)
            return new ValidationSet([]);
        var set = TrainingSet.OpenAsync(data, cancellationToken).GetAwaiter().GetResult();
        var count = Math.Min(recipe.Validation.Samples, set.Count);
        return new ValidationSet([.. Enumerable.Range(0, count).Select(i =>
        {
            var (entry, draw) = ((int)((long)i * set.Count / count), SampleDraw.Of(recipe.Validation.Seed, i));
            var frames = set.ReadAsync(entry, draw, cancellationToken).GetAwaiter().GetResult();
            return new TrainingSample(entry, set.Caption(entry), frames, draw) { Followed = set.ReadConditionAsync(entry, draw, cancellationToken).GetAwaiter().GetResult() ?? frames };
        })]);
    }
}
