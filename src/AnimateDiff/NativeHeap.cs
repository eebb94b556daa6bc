using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AnimateDiff;

/// <summary>The heap that libtorch's tensors on the CPU come from: that of glibc. On other systems nothing is done.</summary>
internal static partial class NativeHeap
{
    private const int TrimThreshold = -1, TopPad = -2, MmapThreshold = -3, MmapMax = -4, ArenaMax = -8;      // M_… of malloc.h
    private const int LargeBlock = 1 << 20, Ahead = 64 << 20;
    private const int HugePage = 1 << 21, AdviseHuge = 14;                                                   // MADV_HUGEPAGE of mman.h

    /// <summary>
    /// From now on memory is kept for the next tensor: one heap, without mappings of single tensors, that takes 64 MB at a time and gives back nothing before
    /// <see cref="Trim()"/>. Otherwise every large activation is a new mapping, which the system fills with zeros page by page: a sixth of a denoising step.
    /// </summary>
    public static void KeepMemory()
    {
        if (!OperatingSystem.IsLinux())
            return;
        Try(() => SetOption(MmapMax, 0));
        Try(() => SetOption(ArenaMax, 1));
        Try(() => SetOption(TrimThreshold, int.MaxValue));
        Try(() => SetOption(TopPad, Ahead));
        Trim();
    }

    /// <summary>
    /// From now on every large tensor is a mapping of its own, gone when the tensor is. Otherwise glibc, after the first large one, takes all but the largest from
    /// its heap, and what is free between two tensors that live stays the process's.
    /// </summary>
    public static void ReturnLargeBlocks()
    {
        if (!OperatingSystem.IsLinux())
            return;
        Try(() => SetOption(MmapMax, int.MaxValue));
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
        var address = Address(tensor);
        var start = (address + HugePage - 1) & -HugePage;
        Try(() => Advise(start, (nuint)((address + (nint)size - start) & -HugePage), AdviseHuge));
    }

    /// <summary>Where a tensor's first element is, as long as the tensor lives.</summary>
    public static unsafe nint Address(Tensor tensor)
    {
        using var first = tensor.as_strided([1], [1], tensor.storage_offset());
        return (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(first.bytes));
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

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint keep);
}
