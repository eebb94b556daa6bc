using System.Collections.Concurrent;

namespace AnimateDiff;

/// <summary>
/// The one thread that owns tensors. Dispose scopes, <c>no_grad</c> and <c>inference_mode</c> belong to a thread, so everything that touches a tensor
/// runs here, one piece of work after the other; callers only await.
/// </summary>
internal sealed class TorchWorker : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;

    public TorchWorker()
    {
        _thread = new Thread(() =>
        {
            foreach (var action in _work.GetConsumingEnumerable())
                action();
        })
        { IsBackground = true, Name = nameof(TorchWorker) };
        _thread.Start();
    }

    /// <summary>Runs <paramref name="work"/> on the thread; work that was cancelled before it started does not run.</summary>
    public Task<T> RunAsync<T>(Func<T> work, CancellationToken cancellationToken = default)
    {
        var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(() =>
        {
            if (cancellationToken.IsCancellationRequested)
            {
                completion.SetCanceled(cancellationToken);
                return;
            }
            try
            {
                completion.SetResult(work());
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                completion.SetCanceled(cancellationToken);
            }
            catch (Exception error)
            {
                completion.SetException(error);
            }
        }, CancellationToken.None);
        return completion.Task;
    }

    /// <summary>Lets the work that was given finish, then ends the thread.</summary>
    public void Dispose()
    {
        _work.CompleteAdding();
        if (Thread.CurrentThread != _thread)
            _thread.Join();
        _work.Dispose();
    }
}
