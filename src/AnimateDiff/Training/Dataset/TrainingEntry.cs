namespace AnimateDiff.Training.Dataset;

/// <summary>One clip or image of a training set.</summary>
/// <param name="Name">What messages call it and the order goes by: its path in the folder or list.</param>
/// <param name="Path">The file, or the folder of pictures.</param>
/// <param name="Caption">Its caption; empty when there is none.</param>
/// <param name="OtherPath">Where the file can be instead.</param>
internal sealed record TrainingEntry(string Name, string Path, string Caption, string? OtherPath = null)
{
    /// <summary>The path that exists, else <see cref="Path"/>. Not looked up earlier: lists of millions would make a start slow.</summary>
    public string Locate() => OtherPath is not null && !System.IO.Path.Exists(Path) && System.IO.Path.Exists(OtherPath) ? OtherPath : Path;
}
