namespace AnimateDiff.Video;

/// <summary>A kind of file that a clip can be written as.</summary>
/// <param name="Extensions">Its file name extensions, lower case.</param>
/// <param name="NeedsFfmpeg">Whether the ffmpeg program writes it.</param>
/// <param name="LargestFps">The fastest rate that programs play at its true speed.</param>
/// <param name="LargestSide">The largest width and height it can store.</param>
/// <param name="WriteAsync">Writes a clip to a path that does not exist yet.</param>
internal sealed record VideoFormat(string[] Extensions, bool NeedsFfmpeg, double LargestFps, int LargestSide, Func<string, EncodeJob, Task> WriteAsync)
{
    // Programs slow a GIF with delays below two hundredths of a second down to ten.
    private static readonly VideoFormat[] Files =
    [
        new([".gif"], NeedsFfmpeg: false, LargestFps: 50, LargestSide: 65_535, ToStream(GifWriter.Write)),
        new([".webp"], NeedsFfmpeg: false, LargestFps: 240, LargestSide: 16_383, ToStream(WebpWriter.Write)),
        new([".apng", ".png"], NeedsFfmpeg: false, LargestFps: 240, LargestSide: 65_535, ToStream(PngWriter.WriteAnimation)),
        new([".mp4"], NeedsFfmpeg: true, LargestFps: 240, LargestSide: 16_384, (path, job) => FfmpegEncoder.WriteAsync(path, job, FfmpegEncoder.Mp4)),
        new([".webm"], NeedsFfmpeg: true, LargestFps: 240, LargestSide: 16_384, (path, job) => FfmpegEncoder.WriteAsync(path, job, FfmpegEncoder.WebM)),
    ];

    private static readonly VideoFormat Folder = new([], NeedsFfmpeg: false, LargestFps: 240, LargestSide: 65_535, FolderWriter.WriteAsync);

    public bool IsFolder => this == Folder;

    /// <summary>The format that a path asks for by its extension, or by a trailing slash or an existing folder.</summary>
    /// <exception cref="RequestException">No format has that extension.</exception>
    public static VideoFormat Of(string path)
    {
        if (Path.EndsInDirectorySeparator(path) || Directory.Exists(path))
            return Folder;
        var extension = Path.GetExtension(path).ToLowerInvariant();
        return Array.Find(Files, format => format.Extensions.Contains(extension)) ?? throw new RequestException(
            $"'{path}' does not say what to write: its name must end in {string.Join(", ", Files.SelectMany(format => format.Extensions))}, "
            + "or in / for a folder of PNG files.");
    }

    private static Func<string, EncodeJob, Task> ToStream(Action<Stream, EncodeJob> write) => (path, job) => Task.Run(
        () =>
        {
            using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, bufferSize: 1 << 16);
            write(stream, job);
        },
        job.Cancellation);
}
