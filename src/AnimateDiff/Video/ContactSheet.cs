namespace AnimateDiff.Video;

/// <summary>A clip as one picture, for pages that show no animation.</summary>
public static class ContactSheet
{
    private const int Gap = 2;

    /// <summary>Writes the frames as a PNG: in rows from the top left, white between them.</summary>
    /// <param name="path">The file; replaced when it exists.</param>
    /// <param name="frames">The frames, as large as they are.</param>
    /// <param name="columns">Frames in a row, at least 1.</param>
    /// <exception cref="FileException">The place cannot be written to.</exception>
    public static void Write(string path, VideoFrames frames, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        columns = Math.Min(columns, frames.Frames);
        var rows = (frames.Frames + columns - 1) / columns;
        var (width, height) = (columns * (frames.Width + Gap) - Gap, rows * (frames.Height + Gap) - Gap);
        var sheet = new byte[height * width * 3];
        Array.Fill<byte>(sheet, 255);
        for (var frame = 0; frame < frames.Frames; frame++)
            for (var y = 0; y < frames.Height; y++)
            {
                var top = (frame / columns * (frames.Height + Gap) + y) * width;
                frames[frame].Slice(y * frames.Width * 3, frames.Width * 3).CopyTo(sheet.AsSpan((top + frame % columns * (frames.Width + Gap)) * 3));
            }
        var job = new EncodeJob(new VideoFrames(1, height, width, sheet), 1, "", null, CancellationToken.None);
        OutputFile.WriteAsync(path, temporary => File.WriteAllBytesAsync(temporary, PngWriter.Stills(job).Single())).GetAwaiter().GetResult();
    }
}
