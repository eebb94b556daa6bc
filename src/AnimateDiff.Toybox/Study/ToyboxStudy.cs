namespace AnimateDiff.Toybox.Study;

/// <summary>Measures what the paper claims on the trained Toybox models and writes it up.</summary>
internal static class ToyboxStudy
{
    /// <summary>Measures what is not measured yet and writes the page anew; an interrupted study goes on where it stopped.</summary>
    /// <param name="options">What and how.</param>
    /// <param name="progress">Told of every batch.</param>
    /// <param name="cancellationToken">Stops within a batch; batches before it are kept.</param>
    /// <returns>Path of the page.</returns>
    /// <exception cref="RequestException">A setting is out of its range.</exception>
    /// <exception cref="FileException">A model is damaged, or the output cannot be written.</exception>
    public static async Task<string> RunAsync(StudyOptions options, IProgress<StudyProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        options.Validate();
        await using var run = new StudyRun(options, StudyPage.Folder, apart: false, progress, cancellationToken);
        await StudyPage.WriteAsync(options,
        [
            await AdapterSection.MakeAsync(run), await MotionSection.MakeAsync(run), await TransferSection.MakeAsync(run), await CameraSection.MakeAsync(run),
            ConvergenceSection.Make(run), await ControlSection.MakeAsync(run),
        ]);
        return Path.Combine(options.Output, StudyPage.Name);
    }
}
