using System.Text.Json;
using AnimateDiff.Text;

namespace AnimateDiff.Tests.Text;

/// <summary>
/// A tokenizer that knows the recorded texts only (cases/tokenizer.json, with every prompt of the pipeline cases): whole pipelines can be compared
/// without the CLIP vocabulary. Texts of more than 75 tokens are recorded by their first 75.
/// </summary>
internal sealed class RecordedTokenizer : ITokenizer
{
    private readonly Dictionary<string, int[]> _ids;

    public int BeginId { get; }
    public int EndId { get; }
    public int PadId => EndId;
    public int MaxLength { get; }

    private RecordedTokenizer(IReadOnlyList<(string Text, int[] Ids)> records)
    {
        (BeginId, EndId, MaxLength) = (records[0].Ids[0], records[0].Ids[^1], records[0].Ids.Length);
        int[] Words(int[] ids) => ids[1..(Array.FindLastIndex(ids, id => id != EndId) + 1)];
        _ids = records.DistinctBy(record => record.Text).ToDictionary(record => record.Text, record => Words(record.Ids));
    }

    public static RecordedTokenizer Load() => new(Records());

    /// <summary>The recorded texts and their 77 ids.</summary>
    public static List<(string Text, int[] Ids)> Records()
    {
        using var cases = JsonDocument.Parse(Goldens.CaseJson("tokenizer"));
        return [.. cases.RootElement.EnumerateArray().Select(record =>
            (record.GetProperty("text").GetString()!, record.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()).ToArray()))];
    }

    public IReadOnlyList<int> Encode(string text) =>
        _ids.TryGetValue(text, out var ids) ? ids : throw new KeyNotFoundException($"'{text}' is not among the recorded texts of cases/tokenizer.json.");

    public string Decode(IEnumerable<int> ids) => string.Join(' ', ids);

    public bool EndsWord(int id) => true;
}
