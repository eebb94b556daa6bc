namespace AnimateDiff.Denoising;

/// <summary>Windows within a motion module, as FreeNoise has them (Qiu et al. 2023, arXiv 2310.15169, §4.2, with diffusers' weights).</summary>
/// <param name="Length">Frames of a window.</param>
/// <param name="Stride">Frames from one to the next.</param>
internal sealed record FrameWindows(int Length, int Stride)
{
    /// <summary>Weights of the frames of a window: 1, 2, 3, 2, 1; its middle knows most.</summary>
    public static float[] Pyramid(int length) => [.. Enumerable.Range(0, length).Select(frame => (float)Math.Min(frame + 1, length - frame))];

    /// <summary>The average of what <paramref name="attend"/> makes of the windows of <paramref name="tokens"/>, [B, F, H·W, C].</summary>
    public Tensor Average(Tensor tokens, Func<Tensor, Tensor> attend)
    {
        var frames = (int)tokens.shape[1];
        if (frames <= Length)
            return attend(tokens);
        using var scope = NewDisposeScope();
        var sum = zeros_like(tokens);
        var weights = Pyramid(Length);
        var total = new float[frames];
        foreach (var (start, first) in Starts(frames))
        {
            using var window = NewDisposeScope();
            var (count, own) = (start + Length - first, weights[(first - start)..]);
            for (var i = 0; i < count; i++)
                total[first + i] += own[i];
            var made = attend(tokens.narrow(1, start, Length)).narrow(1, first - start, count);
            sum.narrow(1, first, count).add_(made * tensor(own, tokens.dtype, tokens.device).view(-1, 1, 1), Scalars.One);
        }
        return sum.div_(tensor(total, tokens.dtype, tokens.device).view(-1, 1, 1)).MoveToOuterDisposeScope();
    }

    // Where each window begins, and the first frame that it has a say in: the last window ends with the clip, and only completes it.
    private IEnumerable<(int Start, int First)> Starts(int frames)
    {
        var end = 0;
        for (var start = 0; start + Length <= frames; start += Stride)
        {
            yield return (start, start);
            end = start + Length;
        }
        if (end < frames)
            yield return (frames - Length, end);
    }
}
