namespace AnimateDiff.Training.Dataset;

/// <summary>Finds the entries of a training set, without opening the videos.</summary>
internal static class EntryList
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

    /// <summary>The entries of all paths in the order of their names, of which only the first <see cref="DatasetOptions.Limit"/> are kept.</summary>
    /// <exception cref="FileException">A path is missing, a list is damaged, or there is no entry at all.</exception>
    /// <exception cref="RequestException">A CSV has no folder for its videos.</exception>
    public static List<TrainingEntry> Find(DatasetOptions options, CancellationToken cancellationToken)
    {
        var entries = new List<TrainingEntry>();
        foreach (var path in options.Paths)
        {
            var before = entries.Count;
            foreach (var entry in In(path, options.VideoFolder))
            {
                cancellationToken.ThrowIfCancellationRequested();
                entries.Add(entry);
            }
            if (entries.Count == before)
                throw new FileException(path, Directory.Exists(path)
                    ? $"The folder '{path}' holds no video and no image; expected files such as clip.mp4 with their captions in clip.txt, or a captions.jsonl."
                    : $"'{path}' lists no entry.");
        }
        // Ordinal and by path among equals: the order must not depend on the file system or the language.
        entries.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name) is not 0 and var order ? order : string.CompareOrdinal(a.Path, b.Path));
        if (options.Limit < entries.Count)
            entries.RemoveRange(options.Limit.Value, entries.Count - options.Limit.Value);
        return entries;
    }

    private static IEnumerable<TrainingEntry> In(string path, string? videoFolder)
    {
        if (videoFolder is not null && !Directory.Exists(videoFolder))
            throw new FileException(videoFolder, $"The folder of videos '{videoFolder}' does not exist.");
        if (Directory.Exists(path))
            return InFolder(path, path);
        if (!File.Exists(path))
            throw new FileException(path, $"'{path}' does not exist; expected a CSV, a JSONL file or a folder of videos or images.");
        return Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".csv" => EntryFiles.Csv(path, videoFolder
                ?? throw new RequestException($"'{path}' is a CSV, which does not say where its videos are; name their folder (data.video_folder, --video-folder).")),
            ".jsonl" => EntryFiles.Jsonl(path, videoFolder ?? Path.GetDirectoryName(Path.GetFullPath(path))!),
            var extension when Media.Contains(extension) => [new TrainingEntry(Path.GetFileName(path), path, CaptionBeside(path))],
            var extension => throw new FileException(path,
                $"'{path}' ends in “{extension}”, expected a .csv, a .jsonl, a folder of videos or images, or a video such as .mp4 or .gif."),
        };
    }

    /// <summary>
    /// Videos and images of a folder and of the folders in it. A folder in it that holds pictures and no captions is one clip, frame by frame.
    /// A captions.jsonl gives captions and may name files that are not there, which then are entries that cannot be read.
    /// </summary>
    private static IEnumerable<TrainingEntry> InFolder(string root, string folder)
    {
        var listed = CaptionFiles.Select(name => Path.Combine(folder, name)).Where(File.Exists).SelectMany(list => EntryFiles.Jsonl(list, folder))
            .GroupBy(entry => Path.GetFullPath(entry.Path)).ToDictionary(group => group.Key, group => group.Last());
        var found = Directory.EnumerateFiles(folder).Where(IsMedia)
            .Concat(Directory.EnumerateDirectories(folder).Where(inner => !IsHidden(inner) && IsClip(inner)));
        foreach (var path in found)
            yield return Entry(path, listed.Remove(Path.GetFullPath(path), out var line) ? line.Caption : CaptionBeside(path));
        foreach (var (path, line) in listed)
            yield return Entry(path, line.Caption);
        foreach (var inner in Directory.EnumerateDirectories(folder).Where(inner => !IsHidden(inner) && !IsClip(inner) && !listed.ContainsKey(Path.GetFullPath(inner))))
            foreach (var entry in InFolder(root, inner))
                yield return entry;

        TrainingEntry Entry(string path, string caption) => new(Path.GetRelativePath(root, path).Replace('\\', '/'), path, caption);
    }

    private static bool IsMedia(string path) => Media.Contains(Path.GetExtension(path)) && !IsHidden(path);

    private static bool IsHidden(string path) => Path.GetFileName(path).StartsWith('.');

    private static bool IsClip(string folder)
    {
        var files = Directory.EnumerateFiles(folder).Where(file => !IsHidden(file)).ToList();
        return files.Exists(file => Pictures.Contains(Path.GetExtension(file).ToLowerInvariant()))
            && !files.Exists(file => Path.GetExtension(file).ToLowerInvariant() is ".txt" or ".jsonl"
                || (IsMedia(file) && !Pictures.Contains(Path.GetExtension(file).ToLowerInvariant())));
    }

    /// <summary>The text of <c>clip.txt</c> beside <c>clip.mp4</c>, or empty.</summary>
    private static string CaptionBeside(string path)
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
}
