using System.Globalization;
using AnimateDiff.Training.Optimization;
using AnimateDiff.Weights;

namespace AnimateDiff.Training.Checkpoint;

/// <summary>
/// The resumable states of a run, <c>checkpoints/step-000500.safetensors</c>: weights, optimizer moments and moving averages in fp32. Every other part of a run's state
/// (data position, noise, learning rate) is a function of seed and step. A file appears under its name only when it is whole.
/// </summary>
/// <param name="folder">The run's folder.</param>
/// <param name="keep">How many of the latest are kept.</param>
internal sealed class TrainingCheckpoint(string folder, int keep)
{
    private readonly string _folder = Path.Combine(folder, "checkpoints");

    /// <summary>Writes the state after a step and removes the oldest beyond the number kept, later ones, which were damaged or the run would not be here, and what a killed run left of one.</summary>
    /// <returns>The file.</returns>
    public string Save(AdamW optimizer, long step)
    {
        Directory.CreateDirectory(_folder);
        var path = Path.Combine(_folder, FormattableString.Invariant($"step-{step:000000}.safetensors"));
        SafetensorsWriter.Write(path, optimizer.State(), new Dictionary<string, string>
        {
            ["step"] = step.ToString(CultureInfo.InvariantCulture),
            ["optimizer_steps"] = optimizer.Steps.ToString(CultureInfo.InvariantCulture),
        });
        foreach (var old in (string[])[.. All().Where(entry => entry.Step > step).Select(entry => entry.Path), .. Directory.EnumerateFiles(_folder, "step-*.partial")])
            File.Delete(old);
        foreach (var (_, old) in All().SkipLast(keep))
            File.Delete(old);
        return path;
    }

    /// <summary>The last file, or null.</summary>
    public string? Latest => All().Select(entry => entry.Path).LastOrDefault();

    /// <summary>Takes up the last whole checkpoint.</summary>
    /// <param name="optimizer">Gets the state.</param>
    /// <param name="report">Told of files that are damaged and passed over.</param>
    /// <returns>The step it was saved after.</returns>
    /// <exception cref="FileException">There is none, or it belongs to another run.</exception>
    public long Restore(AdamW optimizer, Action<string> report)
    {
        foreach (var (_, path) in All().Reverse())
        {
            StateDict file;
            try
            {
                file = SafetensorsFile.Open(path);
            }
            catch (FileException damaged)
            {
                report($"{damaged.Message} The checkpoint before it is used.");
                continue;
            }
            using (file)
            {
                Check(file, optimizer);
                optimizer.Restore(file, Number(file, "optimizer_steps"));
                return Number(file, "step");
            }
        }
        throw new FileException(_folder, $"{_folder} holds no whole checkpoint to go on from; start the run anew without --resume.");
    }

    private IEnumerable<(long Step, string Path)> All() => !Directory.Exists(_folder) ? [] : Directory.EnumerateFiles(_folder, "step-*.safetensors")
        .Select(path => (Step: long.TryParse(Path.GetFileNameWithoutExtension(path)["step-".Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var step) ? step : -1, path))
        .Where(entry => entry.Step >= 0).OrderBy(entry => entry.Step);

    private static long Number(StateDict file, string key) =>
        file.Metadata.TryGetValue(key, out var text) && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
            : throw new FileException(file.Path, $"{file.Path} has no '{key}' in its metadata; it was not written by a training run.");

    private static void Check(StateDict file, AdamW optimizer)
    {
        var own = optimizer.State().ToDictionary(entry => entry.Name, entry => entry.Tensor.shape);
        string[] missing = [.. own.Keys.Where(name => !file.ContainsKey(name)).Order(StringComparer.Ordinal)];
        string[] unexpected = [.. file.Keys.Where(name => !own.ContainsKey(name)).Order(StringComparer.Ordinal)];
        string[] mismatched = [.. own.Where(entry => file.TryGetValue(entry.Key, out var tensor) && !tensor.Shape.SequenceEqual(entry.Value))
            .Select(entry => $"{entry.Key}: found [{string.Join(", ", file[entry.Key].Shape)}], expected [{string.Join(", ", entry.Value)}]")];
        if (missing.Length + unexpected.Length + mismatched.Length > 0)
            throw new CheckpointException(file.Path, "training state of this recipe", missing, unexpected, mismatched);
    }
}
