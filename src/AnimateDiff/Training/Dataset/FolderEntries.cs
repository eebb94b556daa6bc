namespace AnimateDiff.Training.Dataset;

/// <summary>
/// Videos and images of a folder and of the folders in it, with the captions beside them (<c>clip.txt</c>) or in a <c>captions.jsonl</c> of the folder or of one
/// above. A folder in it that holds nothing but pictures without captions is one clip, frame by frame. A line that names a missing file is an entry that
/// cannot be read.
/// </summary>
/// <param name="root">The folder; names are relative to it.</param>
internal sealed class FolderEntries(string root)
{
    private static readonly string[] Pictures = [".png", ".jpg", ".jpeg", ".webp", ".bmp"];

    private static readonly HashSet<string> Media = new(
        [
            .. Pictures, ".gif", ".apng", ".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".wmv", ".asf", ".flv", ".f4v", ".mpg", ".mpeg", ".m2v",
            ".mp2", ".mpe", ".ts", ".mts", ".m2ts", ".vob", ".ogv", ".ogg", ".3gp", ".3g2", ".mxf", ".y4m", ".dv", ".rm", ".rmvb", ".nut", ".ivf", ".h264", ".264",
            ".h265", ".265", ".hevc", ".mjpeg", ".mjpg", ".avif", ".tif", ".tiff",
        ],
        StringComparer.OrdinalIgnoreCase);

    private static readonly string[] CaptionFiles = ["captions.jsonl", "metadata.jsonl"];

    // By full path; a line leaves when its file is found.
    private readonly Dictionary<string, TrainingEntry> _lines = [];
    private readonly HashSet<string> _foldersOfLines = [];

    /// <summary>All entries, in no order.</summary>
    /// <exception cref="FileException">A captions.jsonl is damaged, or a caption cannot be read.</exception>
    public IEnumerable<TrainingEntry> Find() => In(root).Concat(_lines.Values.Select(line => Entry(line.Path, line.Caption)));

    /// <summary>Whether the name is that of a video or an image.</summary>
    public static bool IsMedia(string path) => Media.Contains(Path.GetExtension(path)) && !IsHidden(path);

    /// <summary>The text of <c>clip.txt</c> beside <c>clip.mp4</c> or the folder <c>clip</c>; empty without one.</summary>
    public static string CaptionBeside(string path)
    {
        var file = Directory.Exists(path) ? path.TrimEnd(Path.DirectorySeparatorChar) + ".txt" : Path.ChangeExtension(path, ".txt");
        try
        {
            return File.Exists(file) ? Captions.Clean(File.ReadAllText(file)) : "";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new FileException(file, $"'{file}' cannot be read ({error.Message.TrimEnd('.')}).", error);
        }
    }

    private IEnumerable<TrainingEntry> In(string folder)
    {
        foreach (var line in CaptionFiles.Select(name => Path.Combine(folder, name)).Where(File.Exists).SelectMany(list => EntryFiles.Jsonl(list, folder)))
        {
            var path = Path.GetFullPath(line.Path);
            _lines[path] = line;
            _foldersOfLines.Add(Path.GetDirectoryName(path)!);
        }
        foreach (var file in Directory.EnumerateFiles(folder).Where(IsMedia))
            yield return Found(file);
        foreach (var inner in Directory.EnumerateDirectories(folder).Where(inner => !IsHidden(inner)))
            if (IsClip(inner))
                yield return Found(inner);
            else
                foreach (var entry in In(inner))
                    yield return entry;
    }

    private TrainingEntry Found(string path) =>
        Entry(path, _lines.Remove(Path.GetFullPath(path), out var line) ? line.Caption : CaptionBeside(path));

    private TrainingEntry Entry(string path, string caption) => new(Path.GetRelativePath(root, path).Replace('\\', '/'), path, caption);

    private bool IsClip(string folder)
    {
        var path = Path.GetFullPath(folder);
        if (_foldersOfLines.Contains(path))
            return false;
        var endings = Directory.EnumerateFiles(folder).Where(file => !IsHidden(file)).Select(file => Path.GetExtension(file).ToLowerInvariant()).ToHashSet();
        return _lines.ContainsKey(path)
            || (endings.Overlaps(Pictures) && !endings.Contains(".txt") && !endings.Contains(".jsonl") && !endings.Except(Pictures).Any(Media.Contains));
    }

    private static bool IsHidden(string path) => Path.GetFileName(path).StartsWith('.');
}
