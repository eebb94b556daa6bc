using ImageMagick;

namespace AnimateDiff.Video;

/// <summary>
/// Single frames as compressed pictures by ImageMagick. The containers around them are ours, so that a clip of any length is written with the memory of a few
/// frames, can be cancelled between any two, and holds exact delays and its recipe.
/// </summary>
internal static class FramePictures
{
    // Each thread that dithers a GIF takes about 150 MiB for ImageMagick's cache of colours.
    private const int MostThreads = 4;

    // Frames are compressed side by side; more threads inside each would only compete.
    static FramePictures() => ResourceLimits.Thread = 1;

    /// <summary>Compresses every frame, in order, with as many threads as torch was given, at most four.</summary>
    public static IEnumerable<byte[]> Encode(EncodeJob job, Func<MagickImage, byte[]> compress)
    {
        var threads = Math.Clamp(get_num_threads(), 1, MostThreads);
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = job.Cancellation };
        var done = 0;
        foreach (var frames in job.Frames.Pixels.ToBlockingEnumerable(job.Cancellation).Chunk(threads))
        {
            var pictures = new byte[frames.Length][];
            Parallel.For(0, pictures.Length, options, i =>
            {
                using var image = FromPixels(frames[i].Span, job.Frames.Width, job.Frames.Height);
                pictures[i] = compress(image);
            });
            foreach (var picture in pictures)
            {
                yield return picture;
                done++;
                job.Progress?.Report(done);
            }
        }
    }

    /// <summary>An image of ImageMagick from <c>[H, W, RGB]</c> bytes.</summary>
    public static MagickImage FromPixels(ReadOnlySpan<byte> pixels, int width, int height)
    {
        var image = new MagickImage();
        image.ReadPixels(pixels, new PixelReadSettings((uint)width, (uint)height, StorageType.Char, PixelMapping.RGB));
        return image;
    }

    /// <summary>The <c>[H, W, RGB]</c> bytes of an image of ImageMagick.</summary>
    public static byte[] ToPixels(IMagickImage<byte> image)
    {
        using var pixels = image.GetPixelsUnsafe();
        return pixels.ToByteArray(PixelMapping.RGB) ?? throw new InvalidOperationException("An image without pixels.");
    }
}
