namespace AnimateDiff;

/// <summary>What a request is expected to take.</summary>
/// <param name="PeakBytes">Memory of the process at its widest, on the processor; usually within a quarter.</param>
/// <param name="AvailableBytes">Memory that it may have in all: what is free, and what it has already.</param>
/// <param name="Evaluations">Steps of the denoise loop, all runs together.</param>
/// <param name="StepTime">Time of one, at the speed that the machine had when it was asked.</param>
/// <param name="TotalTime">Time of all of them and of decoding, without loading, finishing and encoding.</param>
public sealed record RunEstimate(long PeakBytes, long AvailableBytes, int Evaluations, TimeSpan StepTime, TimeSpan TotalTime)
{
    /// <summary>Memory and time in a sentence.</summary>
    public string Sentence => $"peak memory {Gigabytes(PeakBytes)} of {Gigabytes(AvailableBytes)}; {Evaluations} steps of {Seconds(StepTime)}, {Seconds(TotalTime)} in all";

    /// <summary>A size as text, such as 3.4 GB.</summary>
    internal static string Gigabytes(long bytes) => FormattableString.Invariant($"{bytes / 1e9:0.0} GB");

    private static string Seconds(TimeSpan time) => time.TotalSeconds < 90 ? FormattableString.Invariant($"{time.TotalSeconds:0.0} s")
        : time.TotalMinutes < 90 ? FormattableString.Invariant($"{time.TotalMinutes:0} min") : FormattableString.Invariant($"{time.TotalHours:0.0} h");
}
