using System.Runtime.CompilerServices;
using ImageMagick;

namespace AnimateDiff.Video;

/// <summary>One frame of a file.</summary>
/// <param name="Pixels">8-bit sRGB, <c>[H, W, RGB]</c>.</param>
/// <param name="Width">Width in pixels.</param>
/// <param name="Height">Height in pixels.</param>
/// <param name="Seconds">How long it is shown, in video files the average; null when the file does not say.</param>
public sealed record DecodedFrame(byte[] Pixels, int Width, int Height, double? Seconds);

/// <summary>A clip read from a file.</summary>
/// <param name="Frames">Its frames.</param>
/// <param name="Fps">Frames per second, on average; null for pictures and folders, which have no rate.</param>
public sealed record VideoClip(VideoFrames Frames, double? Fps);

/// <summary>A size to bring frames to: scaled (Lanczos) until both sides are covered, then cropped around the centre.</summary>
/// <param name="Width">Width in pixels.</param>
/// <param name="Height">Height in pixels.</param>
public sealed record FrameSize(int Width, int Height);

/// <summary>
/// Reads clips: GIF, WebP, pictures (PNG, JPEG, BMP) and folders of pictures by themselves, animated PNG and anything else through ffmpeg.
/// The content of a file decides, not its name. Transparent parts become black.
/// </summary>
public static class VideoReader
{
    /// <summary>Reads a whole clip.</summary>
    /// <param name="path">A file, or a folder of pictures in the order of the numbers in their names.</param>
    /// <param name="size">Size to bring the frames to, or null for the file's own.</param>
    /// <param name="maxFrames">Stop after so many frames; null for all.</param>
    /// <param name="cancellationToken">Stops between frames.</param>
    /// <exception cref="FileException">
    /// The file is missing, damaged, has frames of different sizes (without <paramref name="size"/>), or needs a missing ffmpeg.
    /// </exception>
    public static async Task<VideoClip> ReadAsync(string path, FrameSize? size = null, int? maxFrames = null, CancellationToken cancellationToken = default)
    {
        if (maxFrames is < 1)
            throw new ArgumentOutOfRangeException(nameof(maxFrames), maxFrames, "At least one frame is read.");
        var frames = new List<DecodedFrame>();
        await foreach (var frame in StreamAsync(path, size, cancellationToken))
        {
            if (frames.Count > 0 && (frame.Width, frame.Height) != (frames[0].Width, frames[0].Height))
                throw new FileException(path,
                    $"'{path}' has a frame {frames.Count} of {frame.Width}×{frame.Height} among frames of {frames[0].Width}×{frames[0].Height}; "
                    + "ask for one size, or make them equal.");
            frames.Add(frame);
            if (frames.Count == maxFrames)
                break;
        }
        var bytes = (long)frames.Count * frames[0].Pixels.Length;
        if (bytes > Array.MaxLength)
            throw new FileException(path, $"'{path}' has {bytes >> 20} MiB of pixels, more than one clip can hold; read fewer frames or a smaller size.");
        var seconds = frames.Sum(frame => frame.Seconds);
        var known = seconds > 0 && frames.TrueForAll(frame => frame.Seconds is not null);
        var pixels = new byte[bytes];
        for (var i = 0; i < frames.Count; i++)
            frames[i].Pixels.CopyTo(pixels, (long)i * frames[0].Pixels.Length);
        var clip = new VideoFrames(frames.Count, frames[0].Height, frames[0].Width, pixels);
        return new VideoClip(clip, known ? Math.Round(frames.Count / seconds!.Value, 6) : null);
    }

    /// <summary>Reads a clip frame by frame, at least one; a video file of any length needs the memory of a few frames.</summary>
    /// <param name="path">A file, or a folder of pictures in the order of the numbers in their names.</param>
    /// <param name="size">Size to bring the frames to, or null for the file's own.</param>
    /// <param name="cancellationToken">Stops between frames.</param>
    /// <exception cref="FileException">The file is missing, damaged or needs a missing ffmpeg; damage can show after some frames.</exception>
    public static IAsyncEnumerable<DecodedFrame> StreamAsync(string path, FrameSize? size = null, CancellationToken cancellationToken = default) =>
        StreamAsync(path, Open(path, cancellationToken), size, cancellationToken);

    private static async IAsyncEnumerable<DecodedFrame> StreamAsync(
        string path, IAsyncEnumerable<DecodedFrame> source, FrameSize? size, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!Path.Exists(path))
            throw new FileException(path, $"'{path}' does not exist.");
        var count = 0;
        await using var frames = source.GetAsyncEnumerator(cancellationToken);
        while (await MoveNextAsync())
        {
            count++;
            yield return size is null ? frames.Current : Fit(frames.Current, size);
        }
        if (count == 0)
            throw new FileException(path, $"'{path}' has no frame that can be read.");

        async ValueTask<bool> MoveNextAsync()
        {
            try
            {
                return await frames.MoveNextAsync();
            }
            catch (Exception error) when (error is IOException or InvalidDataException or UnauthorizedAccessException or MagickException)
            {
                throw new FileException(path,
                    $"'{path}' cannot be read after {count} frame(s) ({error.Message.TrimEnd('.')}); it is damaged, cut short or no video.", error);
            }
        }
    }

    /// <summary>Reads the beginning of a clip on the calling thread, some frames at a time.</summary>
    /// <param name="path">A file, or a folder of pictures.</param>
    /// <param name="size">Size to bring the frames to.</param>
    /// <param name="frames">The most frames to read.</param>
    /// <param name="together">Frames in each part but the last.</param>
    /// <param name="cancellationToken">Stops between frames.</param>
    /// <exception cref="FileException">As for <see cref="StreamAsync(string, FrameSize?, CancellationToken)"/>.</exception>
    internal static IEnumerable<VideoFrames> Parts(string path, FrameSize size, int frames, int together, CancellationToken cancellationToken) =>
        StreamAsync(path, size, cancellationToken).Take(frames).ToBlockingEnumerable(cancellationToken).Chunk(together)
            .Select(part => new VideoFrames(part.Length, size.Height, size.Width, part.Length == 1 ? part[0].Pixels : Joined(part)));

    /// <summary>The number of frames in a clip, without decoding it; a damaged video can have fewer.</summary>
    /// <param name="path">A file, or a folder of pictures.</param>
    /// <param name="cancellationToken">Ends ffprobe.</param>
    /// <exception cref="FileException">The file is missing, is no video, or needs a missing ffmpeg.</exception>
    internal static async Task<int> CountFramesAsync(string path, CancellationToken cancellationToken)
    {
        if (!Path.Exists(path))
            throw new FileException(path, $"'{path}' does not exist.");
        try
        {
            var count = Directory.Exists(path) ? PictureReader.InFolder(path).Count()
                : new FileInfo(path).Length == 0 ? throw new FileException(path, $"'{path}' is empty: it has no byte.")
                : FileKinds.Of(path) is var kind && PictureReader.Knows(kind) ? PictureReader.CountFrames(path, kind)
                : await FfmpegDecoder.CountFramesAsync(path, cancellationToken);
            return count > 0 ? count : throw new FileException(path, $"'{path}' has no frame that can be read.");
        }
        catch (Exception error) when (error is IOException or InvalidDataException or UnauthorizedAccessException or MagickException)
        {
            throw new FileException(path, $"'{path}' cannot be read ({error.Message.TrimEnd('.')}); it is damaged, cut short or no video.", error);
        }
    }

    /// <summary>Some frames of a clip, in its order; where it ends early, fewer.</summary>
    /// <param name="path">A file, or a folder of pictures.</param>
    /// <param name="chosen">Numbers of the frames from 0, ascending, none twice.</param>
    /// <param name="size">Size to bring the frames to.</param>
    /// <param name="cancellationToken">Stops between frames.</param>
    /// <exception cref="FileException">As for <see cref="StreamAsync(string, FrameSize?, CancellationToken)"/>.</exception>
    internal static IAsyncEnumerable<DecodedFrame> StreamAsync(
        string path, IReadOnlyCollection<int> chosen, FrameSize size, CancellationToken cancellationToken) =>
        StreamAsync(path, Open(path, cancellationToken, chosen), size, cancellationToken);

    private static async IAsyncEnumerable<DecodedFrame> Open(
        string path, [EnumeratorCancellation] CancellationToken cancellationToken, IReadOnlyCollection<int>? chosen = null)
    {
        if (Directory.Exists(path))
        {
            foreach (var picture in Chosen(PictureReader.InFolder(path)))
                yield return PictureReader.Read(picture, FileKinds.Of(picture)).First();
        }
        else if (FileKinds.Of(path) is var kind && PictureReader.Knows(kind))
        {
            foreach (var frame in Chosen(PictureReader.Read(path, kind)))
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return frame;
            }
        }
        else
        {
            await foreach (var frame in FfmpegDecoder.ReadAsync(path, cancellationToken, chosen))
                yield return frame;
        }

        IEnumerable<T> Chosen<T>(IEnumerable<T> all) => chosen is null ? all : all.Take(chosen.Max() + 1).Where((_, index) => chosen.Contains(index));
    }

    private static byte[] Joined(DecodedFrame[] frames)
    {
        var pixels = new byte[frames.Sum(frame => frame.Pixels.Length)];
        foreach (var (place, frame) in frames.Index())
            frame.Pixels.CopyTo(pixels, place * frame.Pixels.Length);
        return pixels;
    }

    private static DecodedFrame Fit(DecodedFrame frame, FrameSize size)
    {
        if ((frame.Width, frame.Height) == (size.Width, size.Height))
            return frame;
        using var image = FramePictures.FromPixels(frame.Pixels, frame.Width, frame.Height);
        image.FilterType = FilterType.Lanczos;
        image.Resize(new MagickGeometry((uint)size.Width, (uint)size.Height) { FillArea = true });
        image.Crop((uint)size.Width, (uint)size.Height, Gravity.Center);
        return new DecodedFrame(FramePictures.ToPixels(image), size.Width, size.Height, frame.Seconds);
    }
}
