using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AnimateDiff.Training.Dataset;

/// <summary>How far a check is.</summary>
/// <param name="Done">Entries read, from 0.</param>
/// <param name="Total">Entries there are.</param>
/// <param name="Unreadable">Entries that could not be read so far.</param>
public readonly record struct DatasetProgress(int Done, int Total, int Unreadable);

/// <summary>An entry that cannot be read.</summary>
/// <param name="Name">Its path in the folder or list.</param>
/// <param name="Reason">Why, one sentence.</param>
public sealed record UnreadableEntry(string Name, string Reason);

/// <summary>A clip that holds more than one shot.</summary>
/// <param name="Name">Its path in the folder or list.</param>
/// <param name="Frames">The frames that begin another shot, from 1.</param>
public sealed record ClipWithCuts(string Name, IReadOnlyList<int> Frames);

/// <summary>What the clips of a set have of something.</summary>
/// <param name="Least">The least.</param>
/// <param name="Median">The one in the middle; of an even number the mean of the two.</param>
/// <param name="Most">The most.</param>
public sealed record Spread(double Least, double Median, double Most)
{
    /// <summary>The spread of some values, or null when there are none.</summary>
    internal static Spread? Of(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? null : new Spread(sorted[0], (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2, sorted[^1]);
    }
}

/// <summary>What a training set consists of. Spreads are null where no clip has the thing.</summary>
public sealed record DatasetReport
{
    /// <summary>Entries listed, at least 1.</summary>
    public required int Entries { get; init; }

    /// <summary>Entries of which every frame could be read: <see cref="Videos"/> and <see cref="Images"/>.</summary>
    public required int Readable { get; init; }

    /// <summary>Readable entries of two frames or more.</summary>
    public required int Videos { get; init; }

    /// <summary>Readable entries of one frame, which only trainings on single frames can use.</summary>
    public required int Images { get; init; }

    /// <summary>The other entries, with the reasons.</summary>
    public required IReadOnlyList<UnreadableEntry> Unreadable { get; init; }

    /// <summary>Lengths of the videos, in frames.</summary>
    public required Spread? Frames { get; init; }

    /// <summary>Frames per second of the videos that have a rate.</summary>
    public required Spread? Fps { get; init; }

    /// <summary>Widths in pixels.</summary>
    public required Spread? Width { get; init; }

    /// <summary>Heights in pixels.</summary>
    public required Spread? Height { get; init; }

    /// <summary>How long the videos that have a rate are together, in seconds.</summary>
    public required double TotalSeconds { get; init; }

    /// <summary>Entries without a caption, readable or not.</summary>
    public required int MissingCaptions { get; init; }

    /// <summary>Mean words of the captions that are there; 0 without any.</summary>
    public required double MeanCaptionWords { get; init; }

    /// <summary>The caption with the most words; empty without any.</summary>
    public required string LongestCaption { get; init; }

    /// <summary>Motion of the videos: the mean difference of consecutive frames, in levels of 0…255 of their averages over a 32×32 grid.</summary>
    public required Spread? Motion { get; init; }

    /// <summary>Videos in which next to nothing moves: a motion below 0.1 levels.</summary>
    public required IReadOnlyList<string> StillClips { get; init; }

    /// <summary>Videos that hold cuts, which a motion module would learn.</summary>
    public required IReadOnlyList<ClipWithCuts> ClipsWithCuts { get; init; }

    /// <summary>The report as JSON, names in snake_case.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}
