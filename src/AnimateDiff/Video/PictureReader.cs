using System.Text.RegularExpressions;
using ImageMagick;

namespace AnimateDiff.Video;

/// <summary>Pictures and picture animations by ImageMagick.</summary>
internal static partial class PictureReader
{
    private static readonly string[] Extensions = [".png", ".jpg", ".jpeg", ".webp", ".bmp"];

    public static bool Knows(FileKind kind) => FormatOf(kind) is not null;

    /// <summary>The pictures of a folder in the order of the numbers in their names: 9.png before 10.png.</summary>
    public static IEnumerable<string> InFolder(string folder) => Directory.EnumerateFiles(folder)
        .Where(file => Extensions.Contains(Path.GetExtension(file).ToLowerInvariant()) && !Path.GetFileName(file).StartsWith('.'))
        .OrderBy(file => Number().Replace(Path.GetFileName(file), digits => digits.Value.PadLeft(20, '0')), StringComparer.Ordinal);

    /// <summary>The number of frames in a file, from its structure: no pixel is decoded.</summary>
    /// <exception cref="IOException">The file is no picture.</exception>
    /// <exception cref="MagickException">The file is damaged.</exception>
    public static int CountFrames(string path, FileKind kind)
    {
        using var stream = File.OpenRead(path);
        using var images = new MagickImageCollection();
        images.Ping(stream, SettingsFor(path, kind));
        return images.Count;
    }

    /// <summary>The frames of a file, each complete (an animation may store only what changes).</summary>
    /// <exception cref="IOException">The file is no picture.</exception>
    /// <exception cref="MagickException">The file is damaged.</exception>
    public static IEnumerable<DecodedFrame> Read(string path, FileKind kind)
    {
        var settings = SettingsFor(path, kind);
        using var stream = File.OpenRead(path);
        var durations = kind == FileKind.WebP ? WebpChunks.ReadDurations(stream) : [];
        stream.Position = 0;
        using var images = new MagickImageCollection(stream, settings);
        if (images.Count > 1)
            images.Coalesce();
        foreach (var (index, image) in images.Index())
        {
            double? seconds = index < durations.Count ? durations[index]
                : image is { AnimationDelay: > 0, AnimationTicksPerSecond: > 0 } ? image.AnimationDelay / (double)image.AnimationTicksPerSecond : null;
            image.AutoOrient();
            if (image.HasAlpha)
            {
                image.BackgroundColor = MagickColors.Black;
                image.Alpha(AlphaAction.Remove);
            }
            if (image.ColorSpace != ColorSpace.sRGB)
                image.ColorSpace = ColorSpace.sRGB;
            yield return new DecodedFrame(FramePictures.ToPixels(image), (int)image.Width, (int)image.Height, seconds);
        }
    }

    // The format is stated and the file comes as a stream, so that neither its name nor its content makes ImageMagick run another reader.
    private static MagickReadSettings SettingsFor(string path, FileKind kind) =>
        new() { Format = FormatOf(kind) ?? throw new IOException($"{Path.GetFileName(path)} is no picture") };

    private static MagickFormat? FormatOf(FileKind kind) => kind switch
    {
        FileKind.Gif => MagickFormat.Gif,
        FileKind.WebP => MagickFormat.WebP,
        FileKind.Png => MagickFormat.Png,
        FileKind.Jpeg => MagickFormat.Jpeg,
        FileKind.Bmp => MagickFormat.Bmp,
        _ => null,
    };

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Number();
}
