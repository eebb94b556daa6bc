using System.Globalization;
using System.Text.Json;

namespace AnimateDiff.Text;

/// <summary>The tables of a CLIP tokenizer folder as transformers writes it.</summary>
/// <param name="Ids">Tokens of the byte-pair encoding and their ids.</param>
/// <param name="Merges">The merges, <c>left right</c>, best first.</param>
/// <param name="AddedTokens">Tokens found in the text before any splitting, with their ids; the special ones among them.</param>
/// <param name="Special">The tokens named <c>bos_token</c>, <c>eos_token</c>, <c>unk_token</c> and <c>pad_token</c>.</param>
/// <param name="MaxLength">Longest sequence.</param>
internal sealed record ClipVocabulary(
    Dictionary<string, int> Ids, IReadOnlyList<string> Merges, Dictionary<string, int> AddedTokens, IReadOnlyDictionary<string, string> Special, int MaxLength)
{
    /// <summary>CLIP's sequence length, for folders that do not state one.</summary>
    private const int DefaultMaxLength = 77;

    private static readonly string[] Roles = ["bos_token", "eos_token", "unk_token", "pad_token"];

    /// <summary>Reads <c>vocab.json</c> and <c>merges.txt</c>, or <c>tokenizer.json</c> where those are missing, and the settings beside them.</summary>
    /// <exception cref="FileException">A file is missing or damaged.</exception>
    public static ClipVocabulary Read(string folder)
    {
        var (vocabulary, merges) = (Path.Combine(folder, "vocab.json"), Path.Combine(folder, "merges.txt"));
        var fast = Path.Combine(folder, "tokenizer.json");
        var added = new Dictionary<string, int>();
        var (ids, pairs) =
            File.Exists(vocabulary) && File.Exists(merges) ? (ReadIds(vocabulary), ReadMerges(merges)) :
            File.Exists(fast) ? ReadFast(fast, added) :
            throw new FileException(folder, $"{folder} holds no CLIP vocabulary: expected vocab.json and merges.txt, or tokenizer.json; "
                + "give the 'tokenizer' folder of a Stable Diffusion 1.5 model.");
        var (special, maxLength) = ReadSettings(folder, added);
        added.Remove("");
        foreach (var (role, token) in special)
        {
            if (!added.ContainsKey(token))
                added[token] = ids.TryGetValue(token, out var id) ? id : throw Damaged(folder, $"its {role} '{token}' is not in the vocabulary of {ids.Count} tokens");
        }
        return new ClipVocabulary(ids, pairs, added, special, maxLength);
    }

    private static Dictionary<string, int> ReadIds(string path) =>
        Parse(path, root => root.EnumerateObject().ToDictionary(entry => entry.Name, entry => Id(path, entry.Value)));

    private static List<string> ReadMerges(string path) =>
        Guard(path, () => File.ReadLines(path).Where((line, index) => line.Length > 0 && !(index == 0 && line.StartsWith("#version"))).ToList());

    /// <summary>The one file of the fast tokenizers; its merges are <c>"left right"</c> or, since tokenizers 0.20, <c>["left", "right"]</c>.</summary>
    private static (Dictionary<string, int> Ids, List<string> Merges) ReadFast(string path, Dictionary<string, int> added) => Parse(path, root =>
    {
        var model = root.GetProperty("model");
        var ids = model.GetProperty("vocab").EnumerateObject().ToDictionary(entry => entry.Name, entry => Id(path, entry.Value));
        var merges = model.GetProperty("merges").EnumerateArray()
            .Select(merge => merge.ValueKind == JsonValueKind.Array ? $"{merge[0].GetString()} {merge[1].GetString()}" : merge.GetString()!)
            .ToList();
        foreach (var token in root.GetProperty("added_tokens").EnumerateArray())
            added[token.GetProperty("content").GetString()!] = Id(path, token.GetProperty("id"));
        return (ids, merges);
    });

    /// <summary>
    /// As transformers does: <c>tokenizer_config.json</c> alone counts when it has <c>added_tokens_decoder</c>; in older folders
    /// <c>special_tokens_map.json</c> overrules it.
    /// </summary>
    private static (Dictionary<string, string> Special, int MaxLength) ReadSettings(string folder, Dictionary<string, int> added)
    {
        var (maxLength, complete) = (DefaultMaxLength, false);
        var special = new Dictionary<string, string> { ["bos_token"] = "<|startoftext|>", ["eos_token"] = "<|endoftext|>" };
        var config = Path.Combine(folder, "tokenizer_config.json");
        var (map, old) = (Path.Combine(folder, "special_tokens_map.json"), Path.Combine(folder, "added_tokens.json"));
        if (File.Exists(config))
        {
            complete = Parse(config, root =>
            {
                Collect(root, special);
                if (root.TryGetProperty("model_max_length", out var length) && length.TryGetInt32(out var value))   // "none" is written as 1e30
                    maxLength = value;
                if (!root.TryGetProperty("added_tokens_decoder", out var decoder))
                    return false;
                foreach (var entry in decoder.EnumerateObject())
                    added[entry.Value.GetProperty("content").GetString()!] = int.Parse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture);
                return true;
            });
        }
        if (!complete && File.Exists(map))
            Parse(map, root => Collect(root, special));
        if (!complete && File.Exists(old))
        {
            foreach (var (token, id) in ReadIds(old))
                added[token] = id;
        }
        special.TryAdd("unk_token", special["eos_token"]);
        special.TryAdd("pad_token", special["eos_token"]);
        if (maxLength < 3)
            throw Damaged(config, $"model_max_length is {maxLength}, which leaves no room for a token between begin and end");
        return (special, maxLength);
    }

    /// <summary>Special tokens are strings, or objects with their <c>content</c>.</summary>
    private static bool Collect(JsonElement settings, Dictionary<string, string> special)
    {
        foreach (var role in Roles)
            if (settings.TryGetProperty(role, out var token) && token.ValueKind != JsonValueKind.Null)
                special[role] = (token.ValueKind == JsonValueKind.Object ? token.GetProperty("content") : token).GetString()!;
        return true;
    }

    private static int Id(string path, JsonElement id) =>
        id.TryGetInt32(out var value) && value >= 0 ? value : throw Damaged(path, $"'{id.GetRawText()}' is no token id");

    private static T Parse<T>(string path, Func<JsonElement, T> read) => Guard(path, () =>
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        return read(document.RootElement);
    });

    private static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or ArgumentException
            or FormatException or IndexOutOfRangeException or OverflowException or IOException or UnauthorizedAccessException)
        {
            throw Damaged(path, error.Message.TrimEnd('.'), error);
        }
    }

    /// <summary>What is wrong with a vocabulary file, and what to do.</summary>
    public static FileException Damaged(string path, string reason, Exception? inner = null) =>
        new(path, $"{path} cannot be read as part of a CLIP tokenizer: {reason}; copy the folder again from the model it belongs to.", inner);
}
