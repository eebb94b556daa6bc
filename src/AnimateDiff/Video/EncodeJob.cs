namespace AnimateDiff.Video;

/// <summary>What every encoder gets: the clip, its rate, the recipe to store in the file, and the caller's progress and cancellation.</summary>
internal sealed record EncodeJob(FrameSequence Frames, double Fps, string Recipe, IProgress<int>? Progress, CancellationToken Cancellation)
{
    /// <summary>
    /// How long each frame is shown in whole units of a format's clock (100 per second in GIF, 1000 in WebP). The end of each frame is rounded, not its
    /// length, so that the whole plays at the right speed: 8 fps in GIF are 12, 13, 12, 13 … hundredths.
    /// </summary>
    public int Duration(int frame, int unitsPerSecond)
    {
        return (int)(End(frame + 1) - End(frame));
        long End(int frames) => (long)Math.Round(frames * unitsPerSecond / Fps);
    }
}
