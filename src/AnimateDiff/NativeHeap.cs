using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AnimateDiff;

/// <summary>The heap that libtorch's tensors on the CPU come from: that of glibc. On other systems nothing is done.</summary>
internal static partial class NativeHeap
{
    private const int MmapThreshold = -3, LargeBlock = 1 << 20;                                              // M_MMAP_THRESHOLD of malloc.h, in bytes
    private const int HugePage = 1 << 21, AdviseHuge = 14;                                                   // MADV_HUGEPAGE of mman.h

    /// <summary>
    /// From now on every large tensor is a mapping of its own, gone when the tensor is. Otherwise glibc, after the first large one, takes all but the largest from
    /// its heap, and what is free between two tensors that live stays the process's.
    /// </summary>
    public static void ReturnLargeBlocks()
    {
        if (OperatingSystem.IsLinux())
            Try(() => SetOption(MmapThreshold, LargeBlock));
    }

    /// <summary>
    /// Asks for pages of 2 MB under a new tensor of the CPU that is about to be filled whole: the system then hands out its memory in a few hundred times fewer steps.
    /// Smaller tensors stay as they are, and every tensor does where the system has no such pages.
    /// </summary>
    /// <param name="tensor">A contiguous tensor.</param>
    public static void UseHugePages(Tensor tensor)
    {
        var size = tensor.numel() * tensor.element_size();
        if (!OperatingSystem.IsLinux() || size < 2 * HugePage || tensor.device_type != DeviceType.CPU)
            return;
        using var flat = tensor.view(-1);
        using var first = flat.narrow(0, 0, 1);
        var address = Address(first.bytes);
        var start = (address + HugePage - 1) & -HugePage;
        Try(() => Advise(start, (nuint)((address + (nint)size - start) & -HugePage), AdviseHuge));
    }

    private static unsafe nint Address(Span<byte> bytes) => (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(bytes));

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

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint keep);
}
