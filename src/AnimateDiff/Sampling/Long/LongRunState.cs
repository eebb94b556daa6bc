using System.Text.Json;

namespace AnimateDiff.Sampling.Long;

/// <summary>How far a long run is, beside its tensors.</summary>
/// <param name="Recipe">What is being made; another request does not go on with it.</param>
/// <param name="Next">The evaluation that comes next.</param>
/// <param name="Remembered">How many tensors each of the sampler's histories holds.</param>
/// <param name="Generator">State of the generator.</param>
internal sealed record LongRunState(string Recipe, int Next, int[] Remembered, byte[] Generator)
{
    public const string FileName = "state.json";

    /// <summary>Reads a folder's state; null where there is none.</summary>
    /// <exception cref="FileException">It is damaged.</exception>
    public static LongRunState? Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<LongRunState>(File.ReadAllText(path)) : null;
        }
        catch (JsonException error)
        {
            throw new FileException(path, $"{path} is damaged ({error.Message.Split(" Path:")[0]}): delete {folder} to begin anew.", error);
        }
    }

    /// <summary>Writes it beside and renames it, so that a run that is cut off anywhere has the state before or after a step.</summary>
    public void Write(string folder)
    {
        var path = Path.Combine(folder, FileName);
        File.WriteAllText(path + ".new", JsonSerializer.Serialize(this));
        File.Move(path + ".new", path, overwrite: true);
    }
}
