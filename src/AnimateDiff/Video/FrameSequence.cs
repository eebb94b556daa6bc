namespace AnimateDiff.Video;

/// <summary>A clip's frames one after the other, for who needs no more than that; its size is known before they are.</summary>
/// <param name="Frames">Number of frames F, at least 1.</param>
/// <param name="Height">Height H in pixels.</param>
/// <param name="Width">Width W in pixels.</param>
/// <param name="Pixels">The F frames in order, 8-bit sRGB <c>[H, W, RGB]</c> each; read once.</param>
internal sealed record FrameSequence(int Frames, int Height, int Width, IAsyncEnumerable<ReadOnlyMemory<byte>> Pixels)
{
    /// <summary>The frames of a clip that is there.</summary>
    public static implicit operator FrameSequence(VideoFrames clip) =>
        new(clip.Frames, clip.Height, clip.Width, Enumerable.Range(0, clip.Frames).Select(clip.Frame).ToAsyncEnumerable());
}
