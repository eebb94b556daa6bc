using System.Collections.Concurrent;
using AnimateDiff.Layers;

namespace AnimateDiff.Tests.Layers;

public class LibtorchThreadsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Each_thread_does_the_work_once(int threads)
    {
        using var _ = ones(1);                                                                               // libtorch is there
        var seen = new ConcurrentBag<int>();
        using var all = new Barrier(threads);
        LibtorchThreads.Run(threads, () =>
        {
            seen.Add(Environment.CurrentManagedThreadId);
            all.SignalAndWait(TimeSpan.FromSeconds(30));
        });
        Assert.Equal(threads, seen.Distinct().Count());
        Assert.Equal(threads, seen.Count);
    }

    [Fact]
    public void A_failure_on_any_thread_is_thrown_to_the_caller()
    {
        using var _ = ones(1);
        var here = Environment.CurrentManagedThreadId;
        var error = Assert.Throws<InvalidOperationException>(() => LibtorchThreads.Run(3, () =>
        {
            if (Environment.CurrentManagedThreadId != here)
                throw new InvalidOperationException("on another thread");
        }));
        Assert.Equal("on another thread", error.Message);
        var done = 0;
        LibtorchThreads.Run(3, () => Interlocked.Increment(ref done));                                       // and the threads live
        Assert.Equal(3, done);
    }
}
