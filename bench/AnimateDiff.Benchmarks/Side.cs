using System.Diagnostics;
using System.Globalization;

namespace AnimateDiff.Benchmarks;

/// <summary>
/// One of the two that are compared, in a process of its own, so that each has its own heap with its own settings, and its own peak memory. It does pieces of work when
/// it is told to.
/// </summary>
internal sealed class Side : IDisposable
{
    private readonly Process _process;

    /// <param name="command">Of the benchmarks; it calls <see cref="Serve"/>.</param>
    /// <param name="arguments">Its arguments.</param>
    public Side(string command, params string[] arguments)
    {
        _process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [command, .. arguments]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        Read();                                                                                              // it is ready
    }

    /// <summary>Megabytes that the process had at most, in the work so far.</summary>
    public int Peak { get; private set; }

    /// <summary>Has a piece of work done.</summary>
    /// <returns>How long it took.</returns>
    public Time Do(string work) => Ask(work).Time;

    /// <summary>Has a piece of work done that is not measured.</summary>
    /// <returns>What it made, in fp32, and how many operations that took, where the other side counts them.</returns>
    public (Tensor Made, double Flop) Make(string work)
    {
        var path = Path.GetTempFileName();
        try
        {
            var flop = Ask($"{work} {path}").Flop;
            return (Tensor.load(path), flop);
        }
        finally
        {
            File.Delete(path);
        }
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }

    /// <summary>The other end: does what it is told on the standard input until that ends.</summary>
    /// <param name="works">Pieces of work by name, and what they make.</param>
    /// <param name="operations">How many operations have been counted so far.</param>
    public static void Serve(IReadOnlyDictionary<string, Func<Tensor?>> works, Func<double>? operations = null)
    {
        Console.WriteLine("ready");
        while (Console.ReadLine() is { } line)
        {
            var words = line.Split(' ', 2);
            var before = operations?.Invoke() ?? 0;
            var time = Time.Of(() =>
            {
                using var made = works[words[0]]();
                if (words is [_, var path])
                {
                    using var saved = made!.to(ScalarType.Float32);
                    saved.save(path);
                }
            });
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{time.Seconds} {time.OfProcessor} {RealSize.Peak()} {(operations?.Invoke() ?? 0) - before}"));
        }
    }

    private (Time Time, double Flop) Ask(string work)
    {
        _process.StandardInput.WriteLine(work);
        double[] answer = [.. Read().Split(' ').Select(word => double.Parse(word, CultureInfo.InvariantCulture))];
        Peak = (int)answer[2];
        return (new(answer[0], answer[1]), answer[3]);
    }

    private string Read() => _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("The process ended.");
}

/// <summary>How long something took, and how much of the processor's time; where the machine is shared, the second says more.</summary>
internal readonly record struct Time(double Seconds, double OfProcessor)
{
    public static Time Of(Action action)
    {
        var (clock, before) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
        action();
        return new(clock.Elapsed.TotalSeconds, (Environment.CpuUsage.TotalTime - before).TotalSeconds);
    }
}
