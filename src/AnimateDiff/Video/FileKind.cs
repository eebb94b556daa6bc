namespace AnimateDiff.Video;

/// <summary>What a file is by its first bytes.</summary>
internal enum FileKind
{
    Gif,
    WebP,
    Png,
    AnimatedPng,
    Jpeg,
    Bmp,
    Json,

    /// <summary>Anything else: ffmpeg's to recognise.</summary>
    Video,
}

internal static class FileKinds
{
    public static FileKind Of(string path)
    {
        using var stream = File.OpenRead(path);
        Span<byte> start = stackalloc byte[12];
        start = start[..stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        if (start.StartsWith("GIF8"u8))
            return FileKind.Gif;
        if (start.StartsWith("RIFF"u8) && start.EndsWith("WEBP"u8))
            return FileKind.WebP;
        if (start is [0xFF, 0xD8, 0xFF, ..])
            return FileKind.Jpeg;
        if (start.StartsWith("BM"u8))
            return FileKind.Bmp;
        if (start is [0x89, (byte)'P', (byte)'N', (byte)'G', ..])
        {
            stream.Position = 0;
            return PngChunks.Read(stream, "acTL", "IDAT").FirstOrDefault().Type == "acTL" ? FileKind.AnimatedPng : FileKind.Png;
        }
        return start.TrimStart(" \t\r\n"u8) is [(byte)'{', ..] ? FileKind.Json : FileKind.Video;
    }
}
