using System.Text.Encodings.Web;
using System.Text.Json;

namespace AnimateDiff.Toybox;

/// <summary>A tokenizer in CLIP's format for the few words of this world: each is one token, anything else is spelled in smaller pieces.</summary>
internal static class ToyVocabulary
{
    /// <summary>Every token's place in a prompt, begin and end with it.</summary>
    public const int MaxLength = 77;

    private const string Begin = "<|startoftext|>", End = "<|endoftext|>", EndOfWord = "</w>";

    private static readonly string[] OtherWords =
    [
        "the", "and", "with", "of", "to", "from", "its", "is", "two", "big", "small", "large", "tiny", "fast", "slow", "slowly", "quickly", "camera", "zoom",
        "zooms", "out", "pan", "pans", "tilt", "tilts", "roll", "rolls", "turns", "then", "over", "under", "beside", "dark", "bright", "neon", "glowing", "style",
        "sks", "black", "grey", "brown", "sky", "ground", "sand", "toy", "watermark", "video", "picture", "photo", "background", "moving", "standing", "blurry",
        "low", "high", "quality", "good", "bad", ",", ".",
    ];

    /// <summary>The words that are one token each: those of the captions first.</summary>
    public static IReadOnlyList<string> Words { get; } =
    [
        .. new[]
        {
            ["a"], Lower<ToyColour>(), Lower<ToyShape>(),
            Enum.GetValues<ToyMovement>().SelectMany(movement => ToyScene.Phrase(movement).Split(' ')),
            Enum.GetValues<ToyBackground>().SelectMany(background => ToyScene.Place(background).Split(' ')),
            Lower<ToyBackground>(), OtherWords,
        }.SelectMany(words => words).Distinct(),
    ];

    /// <summary>
    /// Writes <c>vocab.json</c>, <c>merges.txt</c>, <c>tokenizer_config.json</c> and <c>special_tokens_map.json</c>: 256 bytes, 256 bytes that end a word, the
    /// merges' results, begin and end.
    /// </summary>
    /// <param name="folder">The folder; made when missing.</param>
    /// <returns>Number of tokens.</returns>
    public static int Write(string folder)
    {
        var bytes = Bytes();
        var merges = Merges(Words.Select(word => word.Select(letter => letter.ToString()).ToArray()));
        string[] tokens =
        [
            .. bytes.Select(letter => letter.ToString()), .. bytes.Select(letter => letter + EndOfWord),
            .. merges.Select(merge => merge.Left + merge.Right), Begin, End,
        ];
        var indented = new JsonSerializerOptions { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        var special = new Dictionary<string, object> { ["bos_token"] = Begin, ["eos_token"] = End, ["pad_token"] = End, ["unk_token"] = End };
        Directory.CreateDirectory(folder);
        Save("vocab.json", JsonSerializer.Serialize(tokens.Select((token, id) => (token, id)).ToDictionary(entry => entry.token, entry => entry.id), indented));
        Save("merges.txt", "#version: 0.2\n" + string.Concat(merges.Select(merge => $"{merge.Left} {merge.Right}\n")));
        Save("special_tokens_map.json", JsonSerializer.Serialize(special, indented));
        special["model_max_length"] = MaxLength;
        special["tokenizer_class"] = "CLIPTokenizer";
        special["do_lower_case"] = true;
        Save("tokenizer_config.json", JsonSerializer.Serialize(special, indented));
        return tokens.Length;

        void Save(string name, string text) => File.WriteAllText(Path.Combine(folder, name), text);
    }

    /// <summary>
    /// Byte-pair encoding learned from the words (Sennrich et al., 2016) until each is one token: the commonest pair is merged everywhere, the first in ordinal
    /// order among equals. Encoding repeats exactly these merges, so no word can come out in pieces.
    /// </summary>
    private static List<(string Left, string Right)> Merges(IEnumerable<string[]> spelled)
    {
        var words = spelled.Select(letters => letters[..^1].Append(letters[^1] + EndOfWord).ToList()).ToList();
        var merges = new List<(string, string)>();
        while (words.Exists(word => word.Count > 1))
        {
            var best = words.SelectMany(word => word.Zip(word.Skip(1))).GroupBy(pair => pair)
                .OrderByDescending(group => group.Count()).ThenBy(group => group.Key.First, StringComparer.Ordinal).ThenBy(group => group.Key.Second, StringComparer.Ordinal)
                .First().Key;
            merges.Add(best);
            foreach (var word in words)
                for (var i = 0; i < word.Count - 1; i++)
                    if ((word[i], word[i + 1]) == best)
                    {
                        word[i] += word[i + 1];
                        word.RemoveAt(i + 1);
                    }
        }
        return merges;
    }

    /// <summary>GPT-2's letters for the 256 bytes, in its order: the printable ones of Latin-1 are themselves, the others follow from 256 on.</summary>
    private static char[] Bytes()
    {
        var printable = Enumerable.Range('!', '~' - '!' + 1).Concat(Enumerable.Range('¡', '¬' - '¡' + 1)).Concat(Enumerable.Range('®', 'ÿ' - '®' + 1)).ToList();
        return [.. printable.Select(code => (char)code), .. Enumerable.Range(256, 256 - printable.Count).Select(code => (char)code)];
    }

    private static IEnumerable<string> Lower<T>() where T : struct, Enum => Enum.GetNames<T>().Select(name => name.ToLowerInvariant());
}
