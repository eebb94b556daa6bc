using AnimateDiff.Video;

namespace AnimateDiff.Vision;

/// <summary>Pictures as CLIP's vision models take them: the shorter side brought to the model's size, the middle cut out, CLIP's means and deviations.</summary>
internal static class ClipPictures
{
    private static readonly float[] Mean = [0.48145466f, 0.4578275f, 0.40821073f];
    private static readonly float[] Deviation = [0.26862954f, 0.26130258f, 0.27577711f];

    /// <summary>fp32 [F, 3, S, S] on the CPU, the caller's to dispose.</summary>
    /// <param name="frames">The pictures.</param>
    /// <param name="size">S, the model's <see cref="ClipVisionConfig.ImageSize"/>.</param>
    public static Tensor Prepare(VideoFrames frames, int size)
    {
        using var scope = NewDisposeScope();
        var cut = new byte[frames.Frames * size * size * 3];
        for (var frame = 0; frame < frames.Frames; frame++)
            Cut(frames[frame], frames.Width, frames.Height, size).CopyTo(cut, frame * size * size * 3);
        var pictures = tensor(cut, [frames.Frames, size, size, 3], ScalarType.Byte).to(ScalarType.Float32).Over(255);
        return ((pictures - tensor(Mean)) / tensor(Deviation)).permute(0, 3, 1, 2).contiguous().MoveToOuterDisposeScope();   // [F, S, S, 3] → [F, 3, S, S]
    }

    private static byte[] Cut(ReadOnlySpan<byte> pixels, int width, int height, int size)
    {
        var shorter = Math.Min(width, height);
        var (toWidth, toHeight) = ((int)((long)size * width / shorter), (int)((long)size * height / shorter));
        var resized = BicubicResize.Resize(pixels, width, height, toWidth, toHeight);
        var (left, top) = ((toWidth - size) / 2, (toHeight - size) / 2);
        var cut = new byte[size * size * 3];
        for (var row = 0; row < size; row++)
            resized.AsSpan(((top + row) * toWidth + left) * 3, size * 3).CopyTo(cut.AsSpan(row * size * 3));
        return cut;
    }
}
