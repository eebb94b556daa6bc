namespace AnimateDiff.Video;

/// <summary>The frames of a clip as 8-bit sRGB pixels <c>[F, H, W, 3]</c>, row by row from the top left; those of a long clip are in a temporary file.</summary>
public sealed class VideoFrames
{
    private readonly byte[]? _pixels;
    private readonly FileStream? _file;

    /// <param name="frames">Number of frames F, at least 1.</param>
    /// <param name="height">Height H in pixels.</param>
    /// <param name="width">Width W in pixels.</param>
    /// <param name="pixels">F·H·W·3 bytes in the order <c>[F, H, W, RGB]</c>; kept, not copied.</param>
    /// <exception cref="ArgumentException">A size is not positive, or <paramref name="pixels"/> has another length.</exception>
    public VideoFrames(int frames, int height, int width, byte[] pixels)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(frames);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        if (pixels.LongLength != (long)frames * height * width * 3)
            throw new ArgumentException(
                $"{frames} frames of {width}×{height} are {(long)frames * height * width * 3} bytes, not {pixels.LongLength}.", nameof(pixels));
        (Frames, Height, Width, _pixels) = (frames, height, width, pixels);
    }

    /// <summary>Frames in a file, which is taken over; the system deletes it when these are gone.</summary>
    internal VideoFrames(int frames, int height, int width, FileStream file) => (Frames, Height, Width, _file) = (frames, height, width, file);

    /// <summary>Number of frames.</summary>
    public int Frames { get; }

    /// <summary>Height in pixels.</summary>
    public int Height { get; }

    /// <summary>Width in pixels.</summary>
    public int Width { get; }

    /// <summary>Whether they are in a file, because all of them together may be more than memory should hold.</summary>
    internal bool AreInFile => _file is not null;

    /// <summary>All pixels, <c>[F, H, W, RGB]</c>; of a long clip all are read, so prefer <see cref="Frame"/> there.</summary>
    public ReadOnlyMemory<byte> Pixels => _pixels ?? Select([.. Enumerable.Range(0, Frames).Select(frame => (long)frame)])._pixels;

    /// <summary>The pixels of one frame, <c>[H, W, RGB]</c>.</summary>
    /// <param name="frame">0…<see cref="Frames"/>−1.</param>
    public ReadOnlySpan<byte> this[int frame] => Frame(frame).Span;

    /// <summary>The pixels of one frame, <c>[H, W, RGB]</c>, as memory that may cross an <c>await</c>.</summary>
    /// <param name="frame">0…<see cref="Frames"/>−1.</param>
    public ReadOnlyMemory<byte> Frame(int frame)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(frame);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(frame, Frames);
        var size = Height * Width * 3;
        if (_file is null)
            return _pixels.AsMemory(frame * size, size);
        var pixels = new byte[size];
        var read = 0;
        while (read < size && RandomAccess.Read(_file.SafeFileHandle, pixels.AsSpan(read), (long)frame * size + read) is > 0 and var more)
            read += more;
        return read == size ? pixels : throw new IOException($"Frame {frame} of a long clip is gone from its temporary file");
    }

    /// <summary>Some of the frames, in the order given.</summary>
    /// <param name="frames">Their numbers, 0…<see cref="Frames"/>−1.</param>
    internal VideoFrames Select(IReadOnlyList<long> frames)
    {
        var size = Height * Width * 3;
        var pixels = new byte[frames.Count * size];
        foreach (var (place, frame) in frames.Index())
            this[(int)frame].CopyTo(pixels.AsSpan(place * size));
        return new VideoFrames(frames.Count, Height, Width, pixels);
    }

    /// <summary>Frames from decoded images; for a decoder that works in chunks see <see cref="VideoFramesBuilder"/>.</summary>
    /// <param name="images">Floating point <c>[F, 3, H, W]</c> in −1…1; values outside are clamped.</param>
    /// <exception cref="AnimateDiffException">The images hold NaN or infinite values.</exception>
    public static VideoFrames FromTensor(Tensor images)
    {
        var builder = new VideoFramesBuilder((int)images.shape[0]);
        builder.Append(images);
        return builder.Build();
    }

    /// <summary>The frames as images for the VAE: fp32 <c>[F, 3, H, W]</c> in −1…1 on the CPU, with channels-last strides; the caller's to dispose.</summary>
    public Tensor ToTensor()
    {
        using var scope = NewDisposeScope();
        var bytes = torch.tensor(_pixels ?? Pixels.ToArray(), [Frames, Height, Width, 3], ScalarType.Byte);
        using Scalar white = 255.ToScalar(), two = 2.ToScalar();
        // 2·(x/255) − 1 in this order: the roundings of diffusers' image processor
        return bytes.to(ScalarType.Float32).div_(white).mul_(two).sub_(Scalars.One)
            .permute(0, 3, 1, 2).MoveToOuterDisposeScope();                                                              // [F, H, W, 3] → [F, 3, H, W]
    }
}
