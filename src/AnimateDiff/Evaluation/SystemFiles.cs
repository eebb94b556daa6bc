using AnimateDiff.Video;

namespace AnimateDiff.Evaluation;

/// <summary>From what users name to clips: files, folders of pictures, folders of clips, and <c>NAME=</c> before any of them.</summary>
internal static class SystemFiles
{
    /// <summary>
    /// Systems in the order in which they come up: each name one, with all that is named so; what has no name is a system by itself, called as its file or folder.
    /// </summary>
    /// <param name="arguments">Paths, of which the last part may have <c>*</c> and <c>?</c>; a <c>NAME=</c> before one that is not there under the whole text.</param>
    /// <param name="cancellationToken">Stops between files.</param>
    /// <exception cref="FileException">A file is missing, a pattern fits nothing, or a folder has neither clips nor pictures.</exception>
    public static async Task<IReadOnlyList<EvaluatedSystem>> OfAsync(IEnumerable<string> arguments, CancellationToken cancellationToken = default)
    {
        var systems = new List<(string Name, List<string> Clips)>();
        foreach (var argument in arguments)
        {
            var split = Path.Exists(argument) ? -1 : argument.IndexOf('=');
            var path = Path.TrimEndingDirectorySeparator(argument[(split + 1)..]);
            var name = split > 0 ? argument[..split] : path;
            if (!systems.Exists(system => system.Name == name))
                systems.Add((name, []));
            var clips = systems.Find(system => system.Name == name).Clips;
            foreach (var found in Expand(path))
                clips.AddRange(await ClipsOfAsync(found, cancellationToken));
        }
        var names = systems.ConvertAll(system => Path.GetFileName(system.Name));
        return [.. systems.Select((system, index) => new EvaluatedSystem(names.FindAll(other => other == names[index]).Count == 1 ? names[index] : system.Name, system.Clips))];
    }

    private static string[] Expand(string path)
    {
        var pattern = Path.GetFileName(path);
        if (Path.Exists(path) || pattern.AsSpan().IndexOfAny('*', '?') < 0)
            return Path.Exists(path) ? [path] : throw new FileException(path, $"'{path}' does not exist; name files, or folders that hold clips.");
        var folder = Path.GetDirectoryName(path) is { Length: > 0 } named ? named : ".";
        string[] found = Directory.Exists(folder) ? [.. Directory.EnumerateFileSystemEntries(folder, pattern).Order(StringComparer.Ordinal)] : [];
        return found.Length > 0 ? found : throw new FileException(path, $"'{path}' fits no file; name files, or folders that hold clips.");
    }

    /// <summary>A file is a clip; a folder is its videos and animations, else its pictures one clip, else each of its folders of pictures.</summary>
    private static async Task<IReadOnlyList<string>> ClipsOfAsync(string path, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(path))
            return [path];
        string[] files = [.. Directory.EnumerateFiles(path).Where(file => !Path.GetFileName(file).StartsWith('.')).Order(StringComparer.Ordinal)];
        var animations = new List<string>();
        foreach (var file in files)
            if (await IsAnimationAsync(file, cancellationToken))
                animations.Add(file);
        if (animations.Count > 0)
            return animations;
        if (PictureReader.InFolder(path).Any())
            return [path];
        string[] folders = [.. Directory.EnumerateDirectories(path).Where(folder => PictureReader.InFolder(folder).Any()).Order(StringComparer.Ordinal)];
        return folders.Length > 0 ? folders : throw new FileException(path, $"'{path}' holds no clip: no video, no animation, no picture, and no folder of pictures.");
    }

    private static async Task<bool> IsAnimationAsync(string file, CancellationToken cancellationToken) => Path.GetExtension(file).ToLowerInvariant() switch
    {
        ".gif" or ".apng" or ".mp4" or ".webm" or ".mov" or ".mkv" or ".avi" => true,
        ".webp" => await VideoReader.CountFramesAsync(file, cancellationToken) > 1,
        ".png" => FileKinds.Of(file) == FileKind.AnimatedPng,
        _ => false,
    };
}
