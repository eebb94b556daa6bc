namespace AnimateDiff.Training.Dataset;

/// <summary>Finds the entries of a training set, without opening the videos.</summary>
internal static class EntryList
{
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
            return new FolderEntries(path).Find();
        if (!File.Exists(path))
            throw new FileException(path, $"'{path}' does not exist; expected a CSV, a JSONL file or a folder of videos or images.");
        return Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".csv" => EntryFiles.Csv(path, videoFolder
                ?? throw new RequestException($"'{path}' is a CSV, which does not say where its videos are; name their folder (data.video_folder, --video-folder).")),
            ".jsonl" => EntryFiles.Jsonl(path, videoFolder ?? Path.GetDirectoryName(Path.GetFullPath(path))!),
            _ when FolderEntries.IsMedia(path) => [new TrainingEntry(Path.GetFileName(path), path, FolderEntries.CaptionBeside(path))],
            var extension => throw new FileException(path,
                $"'{path}' ends in “{extension}”, expected a .csv, a .jsonl, a folder of videos or images, or a video such as .mp4 or .gif."),
        };
    }
}
