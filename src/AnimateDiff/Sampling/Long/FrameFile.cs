using System.Runtime.InteropServices;

namespace AnimateDiff.Sampling.Long;

/// <summary>A tensor [B, C, F, h, w] in a file, frame after frame, so that some frames are read and written where all would not be held in memory.</summary>
/// <param name="file">The file, taken over.</param>
/// <param name="frame">Shape of a frame, [B, C, h, w].</param>
internal sealed class FrameFile(FileStream file, long[] frame) : IDisposable
{
    private readonly int _numbers = (int)frame.Aggregate(1L, (product, size) => product * size);

    /// <summary>The file of a path; made when it is not there.</summary>
    /// <param name="path">The path.</param>
    /// <param name="frame">Shape of a frame, [B, C, h, w].</param>
    public static FrameFile Open(string path, long[] frame) => new(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0), frame);

    /// <summary>Some frames, [B, C, n, h, w] in fp32 on the CPU.</summary>
    public Tensor Read(IReadOnlyList<long> frames)
    {
        using var scope = NewDisposeScope();
        var numbers = new float[frames.Count * _numbers];
        foreach (var (place, number) in frames.Index())
        {
            file.Position = number * _numbers * sizeof(float);
            file.ReadExactly(MemoryMarshal.AsBytes(numbers.AsSpan(place * _numbers, _numbers)));
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
            file.Position = number * _numbers * sizeof(float);
            file.Write(MemoryMarshal.AsBytes(numbers.AsSpan(place * _numbers, _numbers)));
        }
    }

    /// <summary>Waits until all is on the disk.</summary>
    public void Flush() => file.Flush(flushToDisk: true);

    public void Dispose() => file.Dispose();
}
