using System.Runtime.InteropServices;

namespace AnimateDiff;

/// <summary>The heap that libtorch's tensors on the CPU come from: that of glibc. On other systems nothing is done.</summary>
internal static partial class NativeHeap
{
    private const int MmapThreshold = -3, LargeBlock = 1 << 20;                                              // M_MMAP_THRESHOLD of malloc.h, in bytes

    /// <summary>
    /// From now on every large tensor is a mapping of its own, gone when the tensor is. Otherwise glibc, after the first large one, takes all but the largest from
    /// its heap, and what is free between two tensors that live stays the process's.
    /// </summary>
    public static void ReturnLargeBlocks()
    {
        if (OperatingSystem.IsLinux())
            Try(() => SetOption(MmapThreshold, LargeBlock));
    }

    /// <summary>Gives free memory back to the system.</summary>
    public static void Trim()
    {
        if (OperatingSystem.IsLinux())
            Try(() => Trim(0));
    }

    // Another C library than glibc has neither.
    private static void Try(Func<int> call)
    {
        try
        {
            call();
        }
        catch (Exception error) when (error is EntryPointNotFoundException or DllNotFoundException)
        {
        }
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetOption(int option, int value);

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint keep);
}
