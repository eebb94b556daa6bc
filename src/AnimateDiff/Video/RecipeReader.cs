using System.Text;
using System.Text.Json;
using System.Xml;
using FFMpegCore;

namespace AnimateDiff.Video;

/// <summary>Finds the recipe inside a file that <see cref="VideoWriter"/> wrote.</summary>
public static class RecipeReader
{
    private const int LargestRecipeFile = 64 << 20;
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>
    /// The recipe of a clip: a GIF comment, the XMP of a WebP, the <c>animatediff</c> text of a PNG or APNG, the comment of an MP4 or WebM (needs ffmpeg),
    /// or the <c>run.json</c> of a folder or by itself. The content of the file decides, not its name.
    /// </summary>
    /// <param name="path">File or folder.</param>
    /// <returns>Exactly the JSON text that was written.</returns>
    /// <exception cref="FileException">The file is missing, damaged or has no recipe; or ffmpeg is needed and missing.</exception>
    public static string Read(string path)
    {
        var file = Directory.Exists(path) ? Path.Combine(path, FolderWriter.RecipeFile) : path;
        if (!File.Exists(file))
            throw new FileException(path, $"'{file}' does not exist; a recipe is read from a file or folder that this program wrote.");
        try
        {
            var recipe = FileKinds.Of(file) switch
            {
                FileKind.Gif => FromGif(file),
                FileKind.WebP => FromStream(file, WebpChunks.ReadRecipe),
                FileKind.Png or FileKind.AnimatedPng => FromStream(file, PngChunks.ReadText),
                FileKind.Json => new FileInfo(file).Length <= LargestRecipeFile ? File.ReadAllText(file) : null,
                FileKind.Jpeg or FileKind.Bmp => null,
                _ => FromVideo(file),
            };
            return recipe is not null && IsRecipe(recipe) ? recipe : throw new FileException(path,
                $"'{path}' has no AnimateDiff recipe; it was not made by this program, or was re-encoded since.");
        }
        catch (Exception error) when (error is IOException or InvalidDataException or UnauthorizedAccessException or XmlException)
        {
            throw new FileException(path, $"'{path}' cannot be read ({error.Message.TrimEnd('.')}); it is damaged or not readable.", error);
        }
    }

    /// <summary>Whether a text can be a recipe: comments of other programs are no JSON objects.</summary>
    internal static bool IsRecipe(string text)
    {
        try
        {
            using var json = JsonDocument.Parse(StrictUtf8.GetBytes(text));
            return json.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (Exception error) when (error is JsonException or EncoderFallbackException)     // the latter: half a surrogate pair
        {
            return false;
        }
    }

    private static string? FromGif(string file) => FromStream(file, stream => GifBlocks.Read(stream)
        .Where(block => block.IsComment)
        .Select(block => Encoding.UTF8.GetString(block.Data))
        .FirstOrDefault(IsRecipe));

    private static string? FromStream(string file, Func<Stream, string?> read)
    {
        using var stream = File.OpenRead(file);
        return read(stream);
    }

    private static string? FromVideo(string file) => FfmpegDecoder.Analyse(file).Format.Tags?.GetValueOrDefault("comment");
}
