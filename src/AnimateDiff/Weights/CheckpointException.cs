using System.Text;

namespace AnimateDiff.Weights;

/// <summary>A checkpoint was read, but its tensors are not the ones the model has.</summary>
public sealed class CheckpointException : FileException
{
    private const int Shown = 10;

    /// <summary>Names the model has and the file lacks.</summary>
    public IReadOnlyList<string> Missing { get; }

    /// <summary>Names the file has and the model lacks.</summary>
    public IReadOnlyList<string> Unexpected { get; }

    /// <summary>Tensors of another shape, as <c>name: found [..], expected [..]</c>.</summary>
    public IReadOnlyList<string> ShapeMismatches { get; }

    /// <summary>Says what of <paramref name="path"/> does not fit <paramref name="model"/>: the counts, and the first ten of each kind.</summary>
    public CheckpointException(string path, string model, IReadOnlyList<string> missing, IReadOnlyList<string> unexpected, IReadOnlyList<string> shapeMismatches)
        : base(path, Describe(path, model, missing, unexpected, shapeMismatches))
        => (Missing, Unexpected, ShapeMismatches) = (missing, unexpected, shapeMismatches);

    private static string Describe(string path, string model, IReadOnlyList<string> missing, IReadOnlyList<string> unexpected, IReadOnlyList<string> shapeMismatches)
    {
        var text = new StringBuilder(
            $"{path} does not fit the {model}: {missing.Count} tensors missing, {unexpected.Count} unexpected, {shapeMismatches.Count} of another shape; 'animatediff inspect' shows what the file holds.");
        foreach (var (title, names) in new[] { ("missing", missing), ("unexpected", unexpected), ("another shape", shapeMismatches) })
        {
            foreach (var name in names.Take(Shown))
                text.Append($"\n  {title}: {name}");
            if (names.Count > Shown)
                text.Append($"\n  … and {names.Count - Shown} more {title}");
        }
        return text.ToString();
    }
}
