using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace AnimateDiff.Layers;

/// <summary>
/// The threads that libtorch computes with, those of GNU's OpenMP runtime, for the project's own kernels. Between libtorch's operations these threads wait in a loop for
/// milliseconds, since the next one mostly comes soon; threads beside them would have to share their cores with that. On systems where libtorch has another runtime, .NET's own
/// threads are used.
/// </summary>
internal static unsafe class LibtorchThreads
{
    // void GOMP_parallel(void (*)(void*), void*, unsigned threads, unsigned flags), to which compilers turn "#pragma omp parallel"
    private static readonly delegate* unmanaged<delegate* unmanaged<void*, void>, void*, uint, uint, void> Parallel
        = (delegate* unmanaged<delegate* unmanaged<void*, void>, void*, uint, uint, void>)Find("GOMP_parallel");

    /// <summary>Does the work on each of some threads, and waits for all of them.</summary>
    /// <param name="threads">How many, 1 or more.</param>
    /// <param name="work">What each does. Where it fails on any, the first failure is thrown here.</param>
    public static void Run(int threads, Action work)
    {
        if (threads == 1)
            work();
        else if (Parallel == null)
            System.Threading.Tasks.Parallel.For(0, threads, new() { MaxDegreeOfParallelism = threads }, _ => work());
        else
        {
            var job = new Job(work);
            var handle = GCHandle.Alloc(job);
            Parallel(&Enter, (void*)GCHandle.ToIntPtr(handle), (uint)threads, 0);
            handle.Free();
            job.Failure?.Throw();
        }
    }

    // On a thread of libtorch's, for which an exception would be the end of the process.
    [UnmanagedCallersOnly]
    private static void Enter(void* handle)
    {
        var job = (Job)GCHandle.FromIntPtr((nint)handle).Target!;
        try
        {
            job.Work();
        }
        catch (Exception error)
        {
            Interlocked.CompareExchange(ref job.Failure, ExceptionDispatchInfo.Capture(error), null);
        }
    }

    // In the runtime that libtorch has loaded, which has a name of its own.
    private static nint Find(string function)
    {
        if (!OperatingSystem.IsLinux())
            return 0;
        using var process = Process.GetCurrentProcess();
        var runtime = process.Modules.Cast<ProcessModule>().FirstOrDefault(module => module.ModuleName.StartsWith("libgomp", StringComparison.Ordinal));
        return runtime is not null && NativeLibrary.TryLoad(runtime.FileName, out var library) && NativeLibrary.TryGetExport(library, function, out var address) ? address : 0;
    }

    private sealed class Job(Action work)
    {
        public readonly Action Work = work;

        public ExceptionDispatchInfo? Failure;
    }
}
