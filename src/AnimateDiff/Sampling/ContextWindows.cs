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

    /// <summary>Whether one window holds the whole clip.</summary>
    public bool SeeWhole(long frames) => frames <= context.Length && !context.Closed;

    /// <summary>
    /// The weighted average of what <paramref name="predict"/> says of windows, frames as they are finished, in the order in which no later window has a say in
    /// them: never more than the frames of two windows are waiting.
    /// </summary>
    /// <param name="frames">F</param>
    /// <param name="step">Number of the step.</param>
    /// <param name="predict">What is said of the frames of a window, [B, 4, n, h, w]; disposed here.</param>
    /// <returns>Frames, ascending but for a closed clip's wrap, and their averages, [B, 4, n, h, w], the caller's to dispose.</returns>
    public IEnumerable<(long[] Frames, Tensor Average)> Average(int frames, int step, Func<long[], Tensor> predict)
    {
        var windows = Of(frames, step);
        var missing = new int[frames];
        foreach (var frame in windows.SelectMany(window => window))
            missing[frame]++;
        var sums = new Dictionary<long, Sum>();
        try
        {
            foreach (var window in windows)
            {
                var weights = FrameWindows.Pyramid(window.Length);
                using (var said = predict(window))
                    foreach (var (place, frame) in window.Index())
                    {
                        if (!sums.TryGetValue(frame, out var sum))
                            sums.Add(frame, sum = new Sum());
                        sum.Add(said, place, weights[place]);
                        missing[frame]--;
                    }
                long[] done = [.. window.Where(frame => missing[frame] == 0)];
                if (done.Length == 0)
                    continue;
                yield return (done, Finish(sums, done));
            }
        }
        finally
        {
            foreach (var sum in sums.Values)
                sum.Dispose();
        }
    }

    private static Tensor Finish(Dictionary<long, Sum> sums, long[] done)
    {
        using var scope = NewDisposeScope();
        var averages = stack([.. done.Select(frame => sums[frame].Average())], 2);
        foreach (var frame in done)
        {
            sums[frame].Dispose();
            sums.Remove(frame);
        }
        return averages.MoveToOuterDisposeScope();
    }

    /// <summary>A frame's weighted sum.</summary>
    private sealed class Sum : IDisposable
    {
        private Tensor? _sum;                                                // [B, 4, h, w]
        private float _weights;

        public void Add(Tensor said, int place, float weight)
        {
            using var scope = NewDisposeScope();
            var weighted = said.select(2, place).Times(weight);
            var sum = (_sum is null ? weighted : _sum.Add(weighted)).DetachFromDisposeScope();
            _sum?.Dispose();
            (_sum, _weights) = (sum, _weights + weight);
        }

        public Tensor Average() => _sum!.Over(_weights);

        public void Dispose() => _sum?.Dispose();
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
