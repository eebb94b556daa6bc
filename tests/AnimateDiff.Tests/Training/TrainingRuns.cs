using System.Collections.Concurrent;
using AnimateDiff.Tests.Text;
using AnimateDiff.Training;
using AnimateDiff.Training.Logging;
using AnimateDiff.Video;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Training;

/// <summary>Short runs on the reference base model: recipes, clips, and what a run left.</summary>
internal static class TrainingRuns
{
    private static readonly TempFolder Shared = new();
    private static readonly Lazy<Task> Data = new(WriteDataAsync);

    static TrainingRuns() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Shared.Dispose();

    /// <summary>Three moving clips of 6 frames, 64×64, with captions.</summary>
    public static string Clips => Shared["clips"];

    /// <summary>Three pictures of 64×64 with captions.</summary>
    public static string Stills => Shared["stills"];

    /// <summary>A vocabulary, which the reference base model has none of.</summary>
    public static string Tokenizer => Shared["tokenizer"];

    /// <summary>A recipe on the reference base: two clips of four frames of 32×32 a step, fp32 results.</summary>
    /// <param name="folder">Where it is written.</param>
    /// <param name="stage">The stage.</param>
    /// <param name="settings">Other settings, as overrides are written.</param>
    public static async Task<string> RecipeAsync(TempFolder folder, string stage, params string[] settings)
    {
        await Data.Value;
        string[] all = [.. stage == "tune-a-video" ? (string[])[] : [$"data.path={(stage is "image-finetune" or "vae" or "controlnet" ? Stills : Clips)}"], .. stage == "motion-lora" ? [$"motion={ReferenceModels.OfficialMotion("v2")}"] : (string[])[], .. settings];
        var path = folder.Write($"{Guid.NewGuid():N}.yaml", $$"""
            stage: {{stage}}
            base: {{Goldens.Model("nano-sd15")}}
            {{(stage == "vae" ? "" : $"tokenizer: {Tokenizer}")}}
            data: {frames: 4, stride: 1, width: 32, height: 32}
            {{(stage is "motion-lora" or "domain-adapter" ? "rank: 4" : "")}}
            batch_size: 2
            learning_rate: 1e-3
            save_dtype: fp32
            """);
        folder.Write(Path.GetFileName(path), RecipeText.Load(path, all).ToString());
        return path;
    }

    /// <summary>Runs a recipe to its end.</summary>
    public static async Task<Finished> RunAsync(TempFolder folder, string stage, params string[] settings) =>
        await RunAsync(new TrainingRequest(await RecipeAsync(folder, stage, settings)) { Output = folder[$"run-{Guid.NewGuid():N}"] });

    /// <summary>Runs a request to its end.</summary>
    public static async Task<Finished> RunAsync(TrainingRequest request)
    {
        var progress = new Messages();
        var result = await Trainer.RunAsync(request, progress, TestContext.Current.CancellationToken);
        return new Finished(result, [.. progress.All]);
    }

    /// <summary>Starts a run and cancels it after a step.</summary>
    /// <returns>Its folder.</returns>
    public static async Task<string> CancelledAsync(TrainingRequest request, long after)
    {
        using var cancellation = new CancellationTokenSource();
        var progress = new Messages { Each = step => { if (step.Step == after && step.Message is null) cancellation.Cancel(); } };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Trainer.RunAsync(request, progress, cancellation.Token));
        return request.Resume ?? request.Output!;
    }

    /// <summary>What the metrics say of each step and validation, without the speed.</summary>
    public static string[] Numbers(string folder) =>
        [.. File.ReadAllLines(Path.Combine(folder, TrainingLog.Metrics)).Select(line => System.Text.RegularExpressions.Regex.Replace(line, ",\"clips_per_second\":[^,}]*", ""))];

    /// <summary>The losses of the steps.</summary>
    public static double[] Losses(string folder) =>
        [.. MetricsFile.Read(Path.Combine(folder, TrainingLog.Metrics)).Where(line => line.Validation is null).Select(line => line.Loss)];

    /// <summary>Every tensor of a file as numbers.</summary>
    public static Dictionary<string, float[]> Values(string path)
    {
        using var file = WeightFile.Open(path);
        return file.ToDictionary(entry => entry.Key, entry =>
        {
            using var scope = NewDisposeScope();
            return entry.Value.Read().to(ScalarType.Float32).contiguous().data<float>().ToArray();
        });
    }

    /// <summary>The names of tensors that differ in a bit between two files of the same names.</summary>
    public static string[] Changed(IReadOnlyDictionary<string, float[]> before, IReadOnlyDictionary<string, float[]> after)
    {
        Assert.Equal(before.Keys.Order(), after.Keys.Order());
        return [.. before.Keys.Where(name => !before[name].AsSpan().SequenceEqual(after[name])).Order(StringComparer.Ordinal)];
    }

    private static async Task WriteDataAsync()
    {
        using (var vocabulary = Vocabularies.Small())
            foreach (var name in vocabulary.Entries)
                Shared.Write($"tokenizer/{name}", File.ReadAllBytes(vocabulary[name]));
        string[] captions = ["a dog runs to the left", "a cat", "rain on a window"];
        foreach (var (i, caption) in captions.Index())
        {
            await VideoWriter.WriteAsync(Shared[$"clips/{i}.webp"], Moving(6, i + 1), 8, "{}", cancellationToken: CancellationToken.None);
            Shared.Write($"clips/{i}.txt", caption);
            await VideoWriter.WriteAsync(Shared[$"stills/{i}.webp"], Moving(1, i + 4), 8, "{}", cancellationToken: CancellationToken.None);
            Shared.Write($"stills/{i}.txt", caption);
        }
    }

    /// <summary>Stripes that wander over a gradient, 64×64 unless told.</summary>
    public static VideoFrames Moving(int frames, int kind, int width = 64, int height = 64) => new(frames, height, width,
    [
        .. from frame in Enumerable.Range(0, frames) from y in Enumerable.Range(0, height) from x in Enumerable.Range(0, width) from colour in Enumerable.Range(0, 3)
           select (byte)(128 + 60 * Math.Sin((x * kind + 7 * frame + 20 * colour) / 9.0) + 60 * Math.Cos((y + x * colour + kind * 11) / 13.0)),
    ]);

    /// <summary>A run that came to its end.</summary>
    /// <param name="Result">What it gave back.</param>
    /// <param name="Progress">What it told.</param>
    internal sealed record Finished(TrainingResult Result, IReadOnlyList<TrainingProgress> Progress)
    {
        public string Folder => Result.Folder;

        public IEnumerable<string> Messages => Progress.Select(step => step.Message).OfType<string>();

        /// <summary>The tensors of the file that was made.</summary>
        public Dictionary<string, float[]> Weights(string name) => Values(Path.Combine(Folder, name));

        /// <summary>The state after a step.</summary>
        public Dictionary<string, float[]> State(long step) => Values(CheckpointOf(Folder, step));
    }

    /// <summary>The checkpoint of a step.</summary>
    public static string CheckpointOf(string folder, long step) => Path.Combine(folder, "checkpoints", FormattableString.Invariant($"step-{step:000000}.safetensors"));

    private sealed class Messages : IProgress<TrainingProgress>
    {
        public ConcurrentQueue<TrainingProgress> All { get; } = new();

        public Action<TrainingProgress>? Each { get; init; }

        public void Report(TrainingProgress value)
        {
            All.Enqueue(value);
            Each?.Invoke(value);
        }
    }
}
