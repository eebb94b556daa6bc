using System.Runtime.InteropServices;

namespace AnimateDiff.Cli;

/// <summary>Ctrl-C or SIGTERM once: stop after the step in progress and clean up. A second time: stop at once.</summary>
internal sealed class Cancellation : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _signals;

    public Cancellation() => _signals = [PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle), PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle)];

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        foreach (var signal in _signals)
            signal.Dispose();
        _source.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        if (_source.IsCancellationRequested)
            return;                                                         // the default: the process ends
        context.Cancel = true;
        Console.Error.WriteLine("animatediff: stopping after the step in progress; once more to stop at once.");
        _source.Cancel();
    }
}
