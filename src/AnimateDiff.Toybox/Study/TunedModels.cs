using AnimateDiff.Training;
using AnimateDiff.Video;

namespace AnimateDiff.Toybox.Study;

/// <summary>
/// Image models tuned by Tune-A-Video, each on one rendered clip of a direction, and that clip's inverted noise. Kept among the runs: made once for a base model and
/// a direction, a seed of the scenes and a number of steps.
/// </summary>
/// <param name="options">Whose runs they are among, and the steps of the inversion.</param>
/// <param name="progress">Told of every step.</param>
/// <param name="cancellationToken">Stops the tuning; it begins anew then.</param>
/// <param name="overrides">Settings that differ from the recipe's.</param>
internal sealed class TunedModels(StudyOptions options, IProgress<StudyProgress>? progress, CancellationToken cancellationToken, params IReadOnlyList<string> overrides)
{
    private const int World = 998;                                                                                      // no sample set's
    private const string RecipeName = "tune-a-video.yaml";

    /// <summary>The recipe: all that a tuned model depends on beside the base model and the clip.</summary>
    public static string Recipe { get; } = ReadRecipe();

    /// <summary>The tuned model's folder and the file of inverted noise, made now where they are not there.</summary>
    /// <param name="image">The base model.</param>
    /// <param name="fingerprint">Of the base model's files and the recipe (<see cref="StudySystem.FingerprintAsync"/>): others have a folder of their own, as other seeds and steps have.</param>
    /// <param name="direction">What the clip shows.</param>
    public async Task<(string Base, string Latents)> GetAsync(StudyFile image, string fingerprint, ToyMovement direction)
    {
        var folder = Path.Combine(options.Runs ?? "runs", "tune-a-video", FormattableString.Invariant($"{image.Name}-{direction}-{fingerprint}-{options.Seed}-{options.Steps}").ToLowerInvariant());
        var (tuned, latents) = (Path.Combine(folder, "run", "tune-a-video"), Path.Combine(folder, "latents.safetensors"));
        if (File.Exists(latents))
            return (tuned, latents);
        var scene = ToyScene.Draw(new ToyRandom(options.Seed, World).Child(), (int)direction, direction);
        Directory.CreateDirectory(folder);
        var clip = Path.Combine(folder, "clip.webp");
        await VideoWriter.WriteAsync(clip, ToyRenderer.Clip(scene), ToyboxWriter.Fps, "{}", cancellationToken: cancellationToken);
        var recipe = Path.Combine(folder, RecipeName);
        await File.WriteAllTextAsync(recipe, Recipe, cancellationToken);
        var run = Path.GetDirectoryName(tuned)!;
        if (Directory.Exists(run))
            Directory.Delete(run, recursive: true);                                                                     // of an attempt that was interrupted
        var request = new TrainingRequest(recipe) { Overrides = [$"base={image.Path}", $"video={clip}", $"prompt={scene.Caption}", .. overrides], Output = run, Threads = options.Threads };
        await Trainer.RunAsync(request, new Relay(step => progress?.Report(new StudyProgress($"tuning {image.Name} on {scene.Caption}", (int)step.Step, (int)step.Steps))), cancellationToken);

        using var pipeline = await AnimateDiffPipeline.LoadAsync(new PipelineOptions { Base = tuned, Device = options.Device, Threads = options.Threads }, cancellationToken: cancellationToken);
        var inversion = new GenerationRequest(scene.Caption) { Source = new ClipSource(SourceKind.Video, clip), Frames = ToyRenderer.ClipFrames, Steps = options.Steps, GuidanceScale = 1 };
        await pipeline.InvertAsync(inversion, latents, cancellationToken: cancellationToken);
        return (tuned, latents);
    }

    private static string ReadRecipe()
    {
        using var reader = new StreamReader(typeof(TunedModels).Assembly.GetManifestResourceStream(RecipeName)!);
        return reader.ReadToEnd();
    }

    private sealed class Relay(Action<TrainingProgress> tell) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => tell(value);
    }
}
