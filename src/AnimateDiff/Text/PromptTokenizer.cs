using System.Text.RegularExpressions;

namespace AnimateDiff.Text;

/// <summary>One token of a prompt.</summary>
/// <param name="Id">Its id; from the model's vocabulary size on, a vector of a textual inversion.</param>
/// <param name="Weight">How much it counts, usually 1.</param>
/// <param name="EndsWord">Whether a chunk may end after it.</param>
internal readonly record struct PromptToken(int Id, float Weight, bool EndsWord);

/// <summary>Turns a prompt with weights and textual inversions into tokens, and tokens into chunks that fit the text model.</summary>
internal sealed class PromptTokenizer
{
    private readonly ITokenizer _tokenizer;
    private readonly int _vocabulary;
    private readonly List<(string Token, int FirstId, int Count)> _inversions = [];
    private readonly Regex? _placeholders;

    /// <param name="tokenizer">Tokenizer of the text model.</param>
    /// <param name="vocabulary">Ids the text model has embeddings for; those of the inversions follow.</param>
    /// <param name="inversions">Textual inversions that prompts may name.</param>
    public PromptTokenizer(ITokenizer tokenizer, int vocabulary, IReadOnlyList<TextualInversion> inversions)
    {
        (_tokenizer, _vocabulary) = (tokenizer, vocabulary);
        Checked(Math.Max(tokenizer.BeginId, Math.Max(tokenizer.EndId, tokenizer.PadId)));
        var next = vocabulary;
        foreach (var inversion in inversions)
        {
            if (_inversions.Any(other => other.Token.Equals(inversion.Token, StringComparison.OrdinalIgnoreCase)))
                throw new RequestException($"Two textual inversions are called '{inversion.Token}'; give one of them another token.");
            _inversions.Add((inversion.Token, next, (int)inversion.Vectors.shape[0]));
            next += _inversions[^1].Count;
        }
        _inversions.Sort((a, b) => b.Token.Length.CompareTo(a.Token.Length));   // the longest that fits is meant; group i + 1 is inversion i
        if (_inversions.Count > 0)
        {
            var pattern = string.Join('|', _inversions.Select(inversion => Pattern(inversion.Token)));
            _placeholders = new Regex(pattern, RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);
        }
    }

    /// <exception cref="RequestException">The tokenizer gives an id that the text model has no embedding for.</exception>
    public List<PromptToken> Encode(string prompt)
    {
        var tokens = new List<PromptToken>();
        foreach (var (text, weight) in PromptWeights.Parse(prompt))
        {
            var from = 0;
            foreach (Match match in _placeholders?.Matches(text) ?? Enumerable.Empty<Match>())
            {
                AddText(text[from..match.Index]);
                var (_, first, count) = _inversions[Enumerable.Range(0, _inversions.Count).First(i => match.Groups[i + 1].Success)];
                tokens.AddRange(Enumerable.Range(0, count).Select(i => new PromptToken(first + i, weight, EndsWord: i == count - 1)));
                from = match.Index + match.Length;
            }
            AddText(text[from..]);
            void AddText(string part) => tokens.AddRange(_tokenizer.Encode(part).Select(id => new PromptToken(Checked(id), weight, _tokenizer.EndsWord(id))));
        }
        return tokens;
    }

    /// <summary>The text of tokens, for messages.</summary>
    public string Decode(IEnumerable<PromptToken> tokens)
    {
        var (words, run) = (new List<string>(), new List<int>());
        void Flush()
        {
            if (run.Count > 0)
                words.Add(_tokenizer.Decode(run));
            run.Clear();
        }
        foreach (var token in tokens)
        {
            if (token.Id < _vocabulary)
            {
                run.Add(token.Id);
                continue;
            }
            Flush();
            if (token.EndsWord)
                words.Add(_inversions.MaxBy(inversion => inversion.FirstId <= token.Id ? inversion.FirstId : -1).Token);
        }
        Flush();
        return string.Join(' ', words);
    }

    /// <summary>
    /// Cuts a prompt into chunks of at most <paramref name="room"/> tokens: after a word where the chunk holds the end of one, else inside it. Even an empty
    /// prompt is one chunk.
    /// </summary>
    public static List<List<PromptToken>> Chunks(List<PromptToken> tokens, int room)
    {
        var chunks = new List<List<PromptToken>>();
        var from = 0;
        do
        {
            var length = Math.Min(room, tokens.Count - from);
            if (from + length < tokens.Count)
            {
                var last = tokens.FindLastIndex(from + length - 1, length, token => token.EndsWord);
                length = last < 0 ? length : last - from + 1;
            }
            chunks.Add(tokens.GetRange(from, length));
            from += length;
        } while (from < tokens.Count);
        return chunks;
    }

    private int Checked(int id) => id < _vocabulary ? id : throw new RequestException(
        $"The tokenizer gives the id {id}, but the text encoder has embeddings for {_vocabulary} only; take both from one model folder.");

    /// <summary>The token, as a whole word where it starts or ends with a letter or digit: "art" is not found in "party".</summary>
    private static string Pattern(string token)
    {
        var (before, after) = (char.IsLetterOrDigit(token[0]) ? @"(?<!\w)" : "", char.IsLetterOrDigit(token[^1]) ? @"(?!\w)" : "");
        return $"({before}{Regex.Escape(token)}{after})";
    }
}
