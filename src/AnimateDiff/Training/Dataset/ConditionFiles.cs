namespace AnimateDiff.Training.Dataset;

/// <summary>Finds the pictures that a control network follows, which lie in a folder under the names of the clips or images.</summary>
internal static class ConditionFiles
{
    /// <summary>The file of an entry.</summary>
    /// <param name="folder">The folder of pictures.</param>
    /// <param name="name">The entry's name, such as <c>cats/0001.mp4</c>: what is found is <c>cats/0001</c> with any ending of a picture or video.</param>
    /// <exception cref="FileException">There is none.</exception>
    public static string Find(string folder, string name)
    {
        if (Path.IsPathRooted(name))
            name = Path.GetFileName(name);                                              // of a list of files from everywhere
        var place = Path.GetFullPath(Path.Combine(folder, Path.GetDirectoryName(name)!));
        var stem = Path.GetFileNameWithoutExtension(name);
        var same = Path.Combine(place, Path.GetFileName(name));
        if (Path.Exists(same))
            return same;                                                                // without a look through a folder of thousands
        return (Directory.Exists(place) ? Directory.EnumerateFiles(place, stem + ".*") : [])
            .Where(path => Path.GetFileNameWithoutExtension(path) == stem && FolderEntries.IsMedia(path)).Order(StringComparer.Ordinal).FirstOrDefault()
            ?? throw new FileException(Path.Combine(place, stem), $"'{folder}' has no picture for {name}; expected {Path.ChangeExtension(name, ".png")} or the same with another ending (data.conditions).");
    }
}
