using System.Text;

namespace AnimateDiff.Text;

/// <summary>
/// The normalizer of CLIP's fast tokenizer (its <c>tokenizer.json</c>): form C, every run of white space one space, lower case; independent of the culture.
/// </summary>
internal static class TextNormalizer
{
    public static string Normalize(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in Nfc.Normalize(text).EnumerateRunes())
        {
            if (rune.Value == 'İ')
                result.Append("i\u0307");   // the one character whose lower case is two
            else if (!Rune.IsWhiteSpace(rune))
                result.Append(Rune.ToLowerInvariant(rune).ToString());
            else if (result.Length == 0 || result[^1] != ' ')
                result.Append(' ');
        }
        return result.ToString();
    }
}
