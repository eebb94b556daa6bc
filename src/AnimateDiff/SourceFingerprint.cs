using AnimateDiff.Video;

namespace AnimateDiff;

/// <summary>SHA-256 of a file, or of a folder's pictures.</summary>
internal static class SourceFingerprint
{
    /// <summary>A file's, or of a folder the one of its pictures' hashes in their order.</summary>
    /// <exception cref="FileException">It does not exist.</exception>
    public static async Task<string> OfAsync(string path)
    {
        if (!Path.Exists(path))
            throw new FileException(path, $"'{path}' does not exist.");
        if (!Directory.Exists(path))
            return await FileFingerprints.OfAsync(path);
        var pictures = await Task.WhenAll(PictureReader.InFolder(path).Select(FileFingerprints.OfAsync));
        return FileFingerprints.OfText(string.Concat(pictures));
    }

    /// <summary>What a recipe records of a source.</summary>
    public static async Task<RecipeSource?> RecordAsync(ClipSource? source) => source is null ? null : new(
        source.Kind, source.Path, source.Strength, await OfAsync(source.Path), source.Mask, source.Mask is null ? null : await OfAsync(source.Mask));
}
