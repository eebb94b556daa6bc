using System.Runtime.InteropServices;

namespace AnimateDiff.Sampling.Long;

/// <summary>A tensor [B, C, F, h, w] in a file, frame after frame, so that some frames are read and written where all would not be held in memory.</summary>
/// <param name="path">The file; made when it is not there.</param>
/// <param name="frame">Shape of a frame, [B, C, h, w].</param>
internal sealed class FrameFile(string path, long[] frame) : IDisposable
{
    private readonly FileStream _file = new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
    private readonly int _numbers = (int)frame.Aggregate(1L, (product, size) => product * size);

    /// <summary>Some frames, [B, C, n, h, w] in fp32 on the CPU.</summary>
    public Tensor Read(IReadOnlyList<long> frames)
    {
        using var scope = NewDisposeScope();
        var numbers = new float[frames.Count * _numbers];
        foreach (var (place, number) in frames.Index())
        {
            _file.Position = number * _numbers * sizeof(float);
            _file.ReadExactly(MemoryMarshal.AsBytes(numbers.AsSpan(place * _numbers, _numbers)));
        }
        return tensor(numbers, [frames.Count, .. frame]).movedim([0], [2]).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Writes some frames.</summary>
    /// <param name="frames">Their numbers.</param>
    /// <param name="values">[B, C, n, h, w]</param>
    public void Write(IReadOnlyList<long> frames, Tensor values)
    {
        using var scope = NewDisposeScope();
        var numbers = values.to(ScalarType.Float32, CPU).movedim([2], [0]).contiguous().data<float>().ToArray();                   // [n, B, C, h, w]
        foreach (var (place, number) in frames.Index())
        {
            _file.Position = number * _numbers * sizeof(float);
            _file.Write(MemoryMarshal.AsBytes(numbers.AsSpan(place * _numbers, _numbers)));
        }
    }

    /// <summary>Waits until all is on the disk.</summary>
    public void Flush() => _file.Flush(flushToDisk: true);

    public void Dispose() => _file.Dispose();
}
