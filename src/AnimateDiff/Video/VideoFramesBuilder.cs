namespace AnimateDiff.Video;

/// <summary>Collects frames as the VAE decodes them, so that only one chunk at a time exists as floating point numbers.</summary>
/// <param name="frames">Number of frames the clip will have.</param>
/// <param name="inFile">Whether the clip is kept in a temporary file, for clips of any length.</param>
public sealed class VideoFramesBuilder(int frames, bool inFile = false)
{
    private byte[] _pixels = [];
    private FileStream? _file;
    private int _height, _width;

    /// <summary>Number of frames appended so far.</summary>
    public int Count { get; private set; }

    /// <summary>
    /// Appends images as diffusers turns them into 8 bits: <c>x/2 + 0.5</c> clamped to 0…1, times 255, rounded half to even, all in fp32.
    /// </summary>
    /// <param name="images">Floating point <c>[n, 3, H, W]</c> in −1…1, on any device; not disposed.</param>
    /// <exception cref="AnimateDiffException">The images hold NaN or infinite values.</exception>
    /// <exception cref="ArgumentException">The shape is not <c>[n, 3, H, W]</c>, differs from the earlier chunks, or there are too many frames.</exception>
    public void Append(Tensor images)
    {
        if (images.dim() != 4 || images.shape[1] != 3)
            throw new ArgumentException($"Images are [n, 3, H, W], not [{string.Join(", ", images.shape)}].", nameof(images));
        var (count, height, width) = ((int)images.shape[0], (int)images.shape[2], (int)images.shape[3]);
        if (Count == 0)
            Allocate(height, width);
        if (height != _height || width != _width || Count + count > frames)
            throw new ArgumentException(
                $"{count} images of {width}×{height} do not fit after {Count} of {frames} frames of {_width}×{_height}.", nameof(images));

        Add(Pixels(images, Count), count);
    }

    /// <summary>Appends a frame, 8-bit sRGB <c>[H, W, RGB]</c>, all of one size.</summary>
    internal void Append(ReadOnlySpan<byte> frame, int height, int width)
    {
        if (Count == 0)
            Allocate(height, width);
        Add(frame, 1);
    }

    /// <summary>8-bit sRGB <c>[n, H, W, RGB]</c> of images <c>[n, 3, H, W]</c> in −1…1, the first of which is frame <paramref name="first"/>.</summary>
    /// <exception cref="AnimateDiffException">The images hold NaN or infinite values.</exception>
    internal static byte[] Pixels(Tensor images, int first)
    {
        using var scope = NewDisposeScope();
        var values = images.detach().to(ScalarType.Float32);
        if (!values.isfinite().all().item<bool>())
            throw new AnimateDiffException(
                $"Frames {first}…{first + images.shape[0] - 1} decoded to NaN or infinite values; "
                + "a weight file is damaged or the number type overflows: try --dtype fp32.");
        using Scalar zero = 0.ToScalar(), half = 0.5.ToScalar(), white = 255.ToScalar();
        return values.mul(half).add_(half, Scalars.One).clamp_(zero, Scalars.One).mul_(white).round_().to(ScalarType.Byte)
            .permute(0, 2, 3, 1).contiguous().cpu().bytes.ToArray();                                      // [n, 3, H, W] → [n, H, W, 3]
    }

    /// <summary>The finished clip.</summary>
    /// <exception cref="InvalidOperationException">Frames are still missing.</exception>
    public VideoFrames Build() => Count == frames
        ? _file is null ? new VideoFrames(frames, _height, _width, _pixels) : new VideoFrames(frames, _height, _width, _file)
        : throw new InvalidOperationException($"{Count} of {frames} frames were appended.");

    /// <summary>The frames appended so far, of which there may be fewer than were expected, but not none.</summary>
    internal VideoFrames BuildShorter() => _file is null
        ? new VideoFrames(Count, _height, _width, _pixels[..(Count * _height * _width * 3)]) : new VideoFrames(Count, _height, _width, _file);

    private void Add(ReadOnlySpan<byte> pixels, int count)
    {
        if (_file is null)
            pixels.CopyTo(_pixels.AsSpan(Count * _height * _width * 3));
        else
            _file.Write(pixels);
        Count += count;
    }

    private void Allocate(int height, int width)
    {
        (_height, _width) = (height, width);
        if (inFile)
        {
            _file = TemporaryFile.Create();
            return;
        }
        var size = (long)frames * height * width * 3;
        if (size > Array.MaxLength)
            throw new RequestException(
                $"{frames} frames of {width}×{height} are {size >> 20} MiB of pixels, more than the {Array.MaxLength >> 20} MiB of one clip; "
                + "make fewer or smaller frames.");
        _pixels = new byte[size];
    }
}
