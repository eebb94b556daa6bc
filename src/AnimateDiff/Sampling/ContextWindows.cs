using AnimateDiff.Denoising;

namespace AnimateDiff.Sampling;

/// <summary>
/// Windows of frames that the UNet sees one after the other, and whose predictions are averaged. Where they begin moves from step to step, so that no
/// frame is at a window's edge in all of them.
/// </summary>
/// <param name="context">Length, overlap, and whether the clip loops.</param>
internal sealed class ContextWindows(FrameContext context)
{
    /// <summary>The frames of each window of a step, in order.</summary>
    /// <param name="frames">F</param>
    /// <param name="step">Number of the step.</param>
    public IReadOnlyList<long[]> Of(int frames, int step)
    {
        var length = Math.Min(context.Length, frames);
        var stride = Math.Max(1, length - context.Overlap);
        long[] From(int start) => [.. Enumerable.Range(start, length).Select(frame => (long)frame % frames)];
        if (context.Closed)
        {
            var shift = (int)Math.Round(Halving(step) * frames);
            return [.. Enumerable.Range(0, (frames + stride - 1) / stride).Select(window => From(shift + window * stride))];
        }
        var last = frames - length;
        var (starts, offset) = (new SortedSet<int> { 0, last }, (int)Math.Round(Halving(step) * stride));
        for (var start = offset; start < last; start += stride)
            starts.Add(start);
        return [.. starts.Select(From)];
    }

    /// <summary>The average of what <paramref name="predict"/> says of the windows of <paramref name="input"/>, [B, 4, F, h, w].</summary>
    /// <param name="input">[B, 4, F, h, w]</param>
    /// <param name="text">What it attends to.</param>
    /// <param name="step">Number of the step.</param>
    /// <param name="predict">The UNet of a window's latents, their text and their frames.</param>
    public Tensor Average(Tensor input, TextContext text, int step, Func<Tensor, TextContext, long[]?, Tensor> predict)
    {
        var windows = Of((int)input.shape[2], step);
        if (windows.Count == 1 && !context.Closed)
            return predict(input, text, null);
        using var scope = NewDisposeScope();
        var sum = zeros_like(input);
        var total = new float[input.shape[2]];
        foreach (var frames in windows)
        {
            using var window = NewDisposeScope();
            var index = tensor(frames, device: input.device);
            var weights = FrameWindows.Pyramid(frames.Length);
            for (var i = 0; i < frames.Length; i++)
                total[frames[i]] += weights[i];
            using var own = text.Of(frames, input.shape[0], input.shape[2]);
            var said = predict(input.index_select(2, index), own, frames) * tensor(weights, input.dtype, input.device).view(-1, 1, 1);
            sum.index_add_(2, index, said, Scalars.One);
        }
        return sum.div_(tensor(total, input.dtype, input.device).view(-1, 1, 1)).MoveToOuterDisposeScope();
    }

    // 0, 1/2, 1/4, 3/4, 1/8, …: the bits of the step behind the point, lowest first, so that few steps are far apart and many are everywhere
    private static double Halving(int step)
    {
        var (value, bit) = (0.0, 0.5);
        for (; step > 0; step >>= 1, bit /= 2)
            value += (step & 1) * bit;
        return value;
    }
}
