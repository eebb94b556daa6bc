using System.Text;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

namespace AnimateDiff.Text;

/// <summary>
/// The tokenizer of CLIP: the same ids as transformers' <c>CLIPTokenizerFast</c>. Text is normalised (form C, runs of white space, lower case) and split into
/// words (<see cref="Encode"/>), whose bytes a byte-pair encoding with <c>&lt;/w&gt;</c> at the end of a word then merges. Thread-safe.
/// </summary>
public sealed class ClipTokenizer : ITokenizer
{
    private const string EndOfWord = "</w>";
    private static readonly string[] Contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

    private readonly BpeTokenizer _words;
    private readonly Dictionary<string, int> _added;
    private readonly Regex _addedPattern;
    private readonly Dictionary<int, string> _tokens = [];

    /// <summary>Id that opens a sequence (49406 in CLIP's own vocabulary).</summary>
    public int BeginId { get; }

    /// <summary>Id that closes a sequence (49407).</summary>
    public int EndId { get; }

    /// <summary>Id that fills a sequence up (49407; 0 in the second encoder of Stable Diffusion XL).</summary>
    public int PadId { get; }

    /// <summary>Longest sequence with its begin and end (77).</summary>
    public int MaxLength { get; }

    /// <summary>One more than the largest id (49408).</summary>
    public int VocabularySize { get; }

    private ClipTokenizer(ClipVocabulary vocabulary, BpeTokenizer words)
    {
        _words = words;
        _added = vocabulary.AddedTokens.GroupBy(token => TextNormalizer.Normalize(token.Key)).ToDictionary(group => group.Key, group => group.First().Value);
        _addedPattern = new Regex(string.Join('|', _added.Keys.OrderByDescending(token => token.Length).Select(Regex.Escape)), RegexOptions.CultureInvariant);
        foreach (var (token, id) in vocabulary.Ids.Concat(vocabulary.AddedTokens))
            _tokens[id] = token;
        VocabularySize = _tokens.Keys.Max() + 1;
        BeginId = vocabulary.AddedTokens[vocabulary.Special["bos_token"]];
        EndId = vocabulary.AddedTokens[vocabulary.Special["eos_token"]];
        PadId = vocabulary.AddedTokens[vocabulary.Special["pad_token"]];
        MaxLength = vocabulary.MaxLength;
    }

    /// <summary>
    /// Loads a tokenizer folder of transformers: <c>vocab.json</c> and <c>merges.txt</c>, or <c>tokenizer.json</c>; with <c>tokenizer_config.json</c>,
    /// <c>special_tokens_map.json</c> and <c>added_tokens.json</c> where they are present.
    /// </summary>
    /// <param name="folder">The folder, usually <c>tokenizer</c> of a model.</param>
    /// <exception cref="FileException">A file is missing or damaged.</exception>
    public static ClipTokenizer Load(string folder)
    {
        var vocabulary = ClipVocabulary.Read(folder);
        try
        {
            return new ClipTokenizer(vocabulary, BpeTokenizer.Create(new BpeOptions(vocabulary.Ids)
            {
                Merges = vocabulary.Merges,
                EndOfWordSuffix = EndOfWord,
                ByteLevel = true,
                UnknownToken = vocabulary.Special["unk_token"],
            }));
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException)
        {
            throw ClipVocabulary.Damaged(folder, $"vocabulary and merges do not go together ({error.Message.TrimEnd('.')})", error);
        }
    }

    /// <summary>Ids of a text, without begin, end and padding, of any length; special tokens written in the text become their id.</summary>
    /// <remarks>Words are: the English contractions ('s, 't, 're, 've, 'm, 'll, 'd), runs of letters, single digits, and runs of anything else but white space.</remarks>
    public IReadOnlyList<int> Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var normal = TextNormalizer.Normalize(text);
        var (ids, from) = (new List<int>(), 0);
        foreach (var match in _addedPattern.EnumerateMatches(normal))
        {
            EncodeWords(normal.AsSpan(from, match.Index - from), ids);
            ids.Add(_added[normal.Substring(match.Index, match.Length)]);
            from = match.Index + match.Length;
        }
        EncodeWords(normal.AsSpan(from), ids);
        return ids;
    }

    /// <summary>The text model's input: begin, the text's first <see cref="MaxLength"/> − 2 ids, end, padding.</summary>
    /// <returns><see cref="MaxLength"/> ids.</returns>
    public int[] EncodePadded(string text)
    {
        var ids = Enumerable.Repeat(PadId, MaxLength).ToArray();
        var words = Encode(text).Take(MaxLength - 2).ToArray();
        (ids[0], ids[words.Length + 1]) = (BeginId, EndId);
        words.CopyTo(ids, 1);
        return ids;
    }

    /// <summary>The text of ids: lower case, one space after every word, bytes that are no UTF-8 as U+FFFD.</summary>
    public string Decode(IEnumerable<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var (text, word) = (new StringBuilder(), new List<int>());
        void Flush()
        {
            if (word.Count > 0)
                text.Append(_words.Decode(word)).Append(' ');
            word.Clear();
        }
        foreach (var id in ids)
        {
            if (_added.ContainsValue(id))
            {
                Flush();
                text.Append(_tokens[id]).Append(' ');
                continue;
            }
            word.Add(id);
            if (EndsWord(id))
                Flush();
        }
        Flush();
        return text.ToString().TrimEnd();
    }

    bool ITokenizer.EndsWord(int id) => EndsWord(id);

    private bool EndsWord(int id) =>
        _added.ContainsValue(id) || (_tokens.TryGetValue(id, out var token) && token.EndsWith(EndOfWord, StringComparison.Ordinal));

    private void EncodeWords(ReadOnlySpan<char> text, List<int> ids)
    {
        for (var from = 0; from < text.Length;)
        {
            var length = WordLength(text[from..]);
            if (text[from] != ' ')
                ids.AddRange(_words.EncodeToIds(text.Slice(from, length), considerPreTokenization: false, considerNormalization: false));
            from += length;
        }
    }

    private static int WordLength(ReadOnlySpan<char> text)
    {
        foreach (var contraction in Contractions)
            if (text.StartsWith(contraction, StringComparison.Ordinal))
                return contraction.Length;
        var kind = KindAt(text, out var length);
        if (kind is Kind.Letter or Kind.Other)
            while (length < text.Length && KindAt(text[length..], out var next) == kind)
                length += next;
        return length;
    }

    private enum Kind { Space, Letter, Number, Other }

    private static Kind KindAt(ReadOnlySpan<char> text, out int length)
    {
        Rune.DecodeFromUtf16(text, out var rune, out length);
        return rune.Value == ' ' ? Kind.Space : Rune.IsLetter(rune) ? Kind.Letter : Rune.IsNumber(rune) ? Kind.Number : Kind.Other;
    }
}
