using AnimateDiff.Sampling.Long;

namespace AnimateDiff.Sampling;

/// <summary>What is kept of every frame of a clip during a run: in memory, or for a long clip in a temporary file.</summary>
internal sealed class KeptFrames : IDisposable
{
    private readonly Tensor? _whole;                                        // [B, C, F or 1, h, w]
    private readonly FrameFile? _file;
    private readonly Device _device;

    private KeptFrames(Tensor? whole, FrameFile? file, int count, Device device) => (_whole, _file, Count, _device) = (whole, file, count, device);

    /// <summary>F, or 1 for all frames.</summary>
    public int Count { get; }

    /// <summary>Keeps a tensor in memory, in the dispose scope it is in.</summary>
    /// <param name="whole">[B, C, F or 1, h, w], taken over.</param>
    public static KeptFrames Of(Tensor whole) => new(whole, null, (int)whole.shape[2], whole.device);

    /// <summary>Keeps what comes a few frames at a time.</summary>
    /// <param name="parts">Consecutive frames, fp32 [B, C, n, h, w], at least one; disposed here.</param>
    /// <param name="inFile">Whether they are too many for memory.</param>
    public static KeptFrames Of(IEnumerable<Tensor> parts, bool inFile)
    {
        if (!inFile)
        {
            using var scope = NewDisposeScope();
            return Of(cat([.. parts], 2).MoveToOuterDisposeScope());
        }
        var (file, count, device) = ((FrameFile?)null, 0, CPU);
        foreach (var part in parts)
            using (part)
            {
                var (first, more) = (count, (int)part.shape[2]);
                (count, device) = (count + more, part.device);
                file ??= new FrameFile(TemporaryFile.Create(), [part.shape[0], part.shape[1], part.shape[3], part.shape[4]]);
                file.Write([.. Enumerable.Range(first, more).Select(frame => (long)frame)], part);
            }
        return new KeptFrames(null, file, count, device);
    }

    /// <summary>Some frames, [B, C, n, h, w], or one that stands for all; the caller's to dispose.</summary>
    /// <param name="frames">Their numbers; null for all.</param>
    public Tensor At(long[]? frames)
    {
        using var scope = NewDisposeScope();
        if (_whole is not null)
            return (frames is null || Count == 1 ? _whole.alias() : _whole.index_select(2, tensor(frames, device: _device))).MoveToOuterDisposeScope();
        var chosen = Count == 1 ? [0] : frames ?? [.. Enumerable.Range(0, Count).Select(frame => (long)frame)];
        return _file!.Read(chosen).to(_device).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _whole?.Dispose();
        _file?.Dispose();
    }
}
