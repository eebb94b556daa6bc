namespace AnimateDiff.Video;

/// <summary>
/// Writes clips with their recipe inside. The path says how: <c>.gif</c>, <c>.webp</c> (lossless), <c>.apng</c> or <c>.png</c> (lossless), <c>.mp4</c> (H.264)
/// and <c>.webm</c> (VP9) by ffmpeg, or a folder (a trailing slash, or one that exists): <c>000.png</c>, <c>001.png</c> … and <c>run.json</c>.
/// </summary>
public static class VideoWriter
{
    // One hundred seconds a frame: what the delays of all formats can express.
    private const double SmallestFps = 0.01;

    /// <summary>
    /// Checks before a long run that a clip can be written there: known format, ffmpeg installed where it is needed, a folder that can be written to.
    /// </summary>
    /// <param name="path">The later argument of <see cref="WriteAsync"/>.</param>
    /// <param name="fps">The later rate; null where it is not known yet.</param>
    /// <exception cref="RequestException">The extension is none that can be written, or the rate is out of its range.</exception>
    /// <exception cref="FileException">ffmpeg is missing, the place cannot be written to, or the folder holds files of something else.</exception>
    public static void Check(string path, double? fps = null)
    {
        var format = VideoFormat.Of(path);
        if (fps is { } rate)
            CheckRate(path, format, rate);
        if (format.NeedsFfmpeg)
            _ = Ffmpeg.Folder;
        if (format.IsFolder && Directory.Exists(path))
            FolderWriter.RefuseForeignFiles(path);
        OutputFile.CheckWritable(path);
    }

    /// <summary>
    /// Writes a clip. The file appears complete or not at all: it is written beside and renamed, and cancellation or failure leaves nothing. A folder may hold
    /// an earlier run, which is replaced; a folder with any other file is refused.
    /// </summary>
    /// <param name="path">File or folder; missing parent folders are created.</param>
    /// <param name="frames">The frames. MP4 needs even sizes: an odd width or height is extended by repeating its last column or row.</param>
    /// <param name="fps">Frames per second, 0.01…240 (GIF: up to 50).</param>
    /// <param name="recipeJson">The recipe, a JSON object; <see cref="RecipeReader"/> gives back exactly this text.</param>
    /// <param name="progress">Told the number of frames encoded so far.</param>
    /// <param name="cancellationToken">Stops between frames; ffmpeg is ended.</param>
    /// <exception cref="RequestException">The extension is none that can be written, or the rate or size is out of its range.</exception>
    /// <exception cref="FileException">
    /// ffmpeg is missing or failed, the place cannot be written to or is full, or the folder holds files of something else.
    /// </exception>
    /// <exception cref="ArgumentException"><paramref name="recipeJson"/> is not a JSON object.</exception>
    public static Task WriteAsync(
        string path, VideoFrames frames, double fps, string recipeJson, IProgress<int>? progress = null, CancellationToken cancellationToken = default) =>
        WriteSequenceAsync(path, frames, fps, recipeJson, progress, cancellationToken);

    /// <summary>The same for frames that come one after the other; fails where they end early.</summary>
    internal static Task WriteSequenceAsync(
        string path, FrameSequence frames, double fps, string recipeJson, IProgress<int>? progress, CancellationToken cancellationToken)
    {
        var format = VideoFormat.Of(path);
        CheckRate(path, format, fps);
        if (Math.Max(frames.Width, frames.Height) > format.LargestSide)
            throw new RequestException(
                $"The frames are {frames.Width}×{frames.Height}, but '{path}' can store at most {format.LargestSide} pixels a side; use another format.");
        if (!RecipeReader.IsRecipe(recipeJson))
            throw new ArgumentException("The recipe must be a JSON object.", nameof(recipeJson));

        var job = new EncodeJob(frames, fps, recipeJson, progress, cancellationToken);
        return format.IsFolder ? format.WriteAsync(path, job) : OutputFile.WriteAsync(path, temporary => format.WriteAsync(temporary, job));
    }

    private static void CheckRate(string path, VideoFormat format, double fps)
    {
        if (!(fps >= SmallestFps && fps <= format.LargestFps))
            throw new RequestException($"fps is {fps}, but '{path}' can be played at {SmallestFps} to {format.LargestFps} frames per second.");
    }
}
