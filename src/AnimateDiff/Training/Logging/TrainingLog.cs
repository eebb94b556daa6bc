using AnimateDiff.Video;
using ImageMagick;

namespace AnimateDiff.Training.Logging;

/// <summary>What a run leaves to look at in its folder: <c>metrics.jsonl</c>, TensorBoard events, and <c>loss.png</c>. Used from one thread.</summary>
internal sealed class TrainingLog : IDisposable
{
    /// <summary>Name of the numbers' file.</summary>
    public const string Metrics = "metrics.jsonl";

    /// <summary>Name of the curves' picture.</summary>
    public const string Curves = "loss.png";

    private readonly string _folder;
    private readonly MetricsFile _metrics;
    private readonly EventFile _events;

    private TrainingLog(string folder, MetricsFile metrics, EventFile events) => (_folder, _metrics, _events) = (folder, metrics, events);

    /// <summary>Opens the log of a run that has done <paramref name="fromStep"/> steps; of what a folder holds of later steps (0: of all), nothing stays valid.</summary>
    /// <param name="folder">The run's folder; made where it is not there.</param>
    /// <param name="fromStep">Steps of the checkpoint that the run goes on from; 0 for a new run.</param>
    /// <param name="time">Clock for the events' times.</param>
    /// <exception cref="FileException">The folder cannot be written to.</exception>
    public static TrainingLog Open(string folder, long fromStep, TimeProvider? time = null) => Writing(folder, () =>
    {
        Directory.CreateDirectory(folder);
        var metrics = MetricsFile.Open(Path.Combine(folder, Metrics), fromStep == 0 ? -1 : fromStep);   // a validation may come before step 1
        try
        {
            return new TrainingLog(folder, metrics, new EventFile(folder, fromStep == 0 ? 0 : fromStep + 1, time ?? TimeProvider.System));
        }
        catch
        {
            metrics.Dispose();
            throw;
        }
    });

    /// <summary>Logs an optimizer step.</summary>
    /// <param name="step">Its number, from 1.</param>
    /// <param name="loss">Its loss, not smoothed.</param>
    /// <param name="learningRate">Its learning rate.</param>
    /// <param name="gradientNorm">Norm of the gradient over all parameters before clipping.</param>
    /// <param name="clipsPerSecond">Clips trained on in a second.</param>
    public void Step(long step, double loss, double learningRate, double gradientNorm, double clipsPerSecond) => Writing(_folder, () =>
    {
        _metrics.Add(step, ("loss", loss), ("learning_rate", learningRate), ("gradient_norm", gradientNorm), ("clips_per_second", clipsPerSecond));
        _events.Scalar("train/loss", loss, step);
        _events.Scalar("train/learning_rate", learningRate, step);
        _events.Scalar("train/gradient_norm", gradientNorm, step);
        _events.Scalar("train/clips_per_second", clipsPerSecond, step);
    });

    /// <summary>Logs a validation: the loss in each of equal buckets of the timesteps 0…999, low noise first.</summary>
    public void Validation(long step, IReadOnlyList<double> lossPerBucket) => Writing(_folder, () =>
    {
        var mean = lossPerBucket.Count == 0 ? double.NaN : lossPerBucket.Average();
        _metrics.AddValidation(step, lossPerBucket, mean);
        _events.Scalar("validation/mean", mean, step);
        for (var bucket = 0; bucket < lossPerBucket.Count; bucket++)
            _events.Scalar($"validation/bucket-{bucket}", lossPerBucket[bucket], step);
    });

    /// <summary>Puts a picture file (PNG, JPEG, GIF) among TensorBoard's images.</summary>
    /// <exception cref="FileException">The file is not there or no picture.</exception>
    public void Picture(long step, string name, string path)
    {
        byte[] encoded;
        MagickImageInfo info;
        try
        {
            encoded = File.ReadAllBytes(path);
            info = new MagickImageInfo(encoded);
        }
        catch (Exception error) when (error is MagickException or IOException or UnauthorizedAccessException)
        {
            throw new FileException(path, $"'{path}' cannot be read as a picture ({error.Message.TrimEnd('.')}); the log shows PNG, JPEG and GIF files.", error);
        }
        Writing(_folder, () => _events.Picture(name, encoded, (int)info.Width, (int)info.Height, step));
    }

    /// <summary>The steps that a run's folder tells of, in order.</summary>
    public static IEnumerable<MetricsLine> StepsOf(string folder) => MetricsFile.Read(Path.Combine(folder, Metrics)).Where(line => line.Validation is null);

    /// <summary>Draws <c>loss.png</c> anew from <c>metrics.jsonl</c>.</summary>
    public void Plot() => LossPlot.Write(Path.Combine(_folder, Curves), MetricsFile.Read(Path.Combine(_folder, Metrics)));

    public void Dispose()
    {
        _metrics.Dispose();
        _events.Dispose();
    }

    private static void Writing(string folder, Action write) => Writing(folder, () =>
    {
        write();
        return true;
    });

    private static T Writing<T>(string folder, Func<T> write)
    {
        T result = default!;
        OutputFile.TranslateAsync(folder, () =>
        {
            result = write();
            return Task.CompletedTask;
        }).GetAwaiter().GetResult();
        return result;
    }
}
