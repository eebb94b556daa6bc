using System.Globalization;
using System.Text;

namespace AnimateDiff.Text;

/// <summary>
/// Normalisation form C (Unicode Standard Annex 15: decompose, sort the marks, compose). <c>string.Normalize</c> returns its input in the
/// globalization-invariant mode that the program runs in, and CLIP's vocabulary knows 'é' as one character only.
/// </summary>
internal static class Nfc
{
    private const int HangulBase = 0xAC00, LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7, LCount = 19, VCount = 21, TCount = 28;

    private static readonly Dictionary<int, int[]> Decomposed = [];
    private static readonly Dictionary<(int First, int Second), int> Composed = [];
    private static readonly Dictionary<int, int> Classes = [];

    static Nfc()
    {
        foreach (var line in NfcData.Decompositions.Split('\n'))
        {
            var entries = line.Split(' ');
            for (var i = 1; i < entries.Length; i++)
            {
                var codePoint = Hex(entries[0]) + i - 1;
                int[] parts = [.. entries[i].Split('+', '-').Select(Hex)];
                Decomposed.Add(codePoint, parts);
                if (entries[i].Contains('+'))
                    Composed.Add((parts[0], parts[1]), codePoint);
            }
        }
        foreach (var range in NfcData.CombiningClasses.Split(' ', '\n'))
        {
            var (ends, value) = (range[..range.IndexOf('=')].Split('-'), range[(range.IndexOf('=') + 1)..]);
            for (var codePoint = Hex(ends[0]); codePoint <= Hex(ends[^1]); codePoint++)
                Classes.Add(codePoint, int.Parse(value, CultureInfo.InvariantCulture));
        }
    }

    /// <summary>The text in normalisation form C; a lone surrogate becomes U+FFFD.</summary>
    public static string Normalize(string text)
    {
        if (Ascii.IsValid(text))
            return text;
        var points = new List<(int CodePoint, int Class)>(text.Length);
        foreach (var rune in text.EnumerateRunes())
            Decompose(rune.Value, points);
        SortMarks(points);
        var result = new StringBuilder(text.Length);
        foreach (var codePoint in Compose(points))
            result.Append(new Rune(codePoint).ToString());
        return result.ToString();
    }

    private static int Hex(string digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static void Decompose(int codePoint, List<(int CodePoint, int Class)> to)
    {
        var syllable = codePoint - HangulBase;
        if (syllable is >= 0 and < LCount * VCount * TCount)
        {
            to.Add((LBase + syllable / (VCount * TCount), 0));
            to.Add((VBase + syllable / TCount % VCount, 0));
            if (syllable % TCount > 0)
                to.Add((TBase + syllable % TCount, 0));
        }
        else if (Decomposed.TryGetValue(codePoint, out var parts))
        {
            foreach (var part in parts)
                Decompose(part, to);
        }
        else
        {
            to.Add((codePoint, Classes.GetValueOrDefault(codePoint)));
        }
    }

    /// <summary>Canonical ordering: each run of marks (class above 0) stably by class.</summary>
    private static void SortMarks(List<(int CodePoint, int Class)> points)
    {
        for (int start = 0, end; start < points.Count; start = end + 1)
        {
            for (end = start; end < points.Count && points[end].Class > 0;)
                end++;
            if (end - start < 2)
                continue;
            var sorted = points[start..end].OrderBy(point => point.Class).ToArray();
            for (var i = 0; i < sorted.Length; i++)
                points[start + i] = sorted[i];
        }
    }

    /// <summary>Canonical composition: each character joins the last starter when their pair is a character and nothing between blocks it.</summary>
    private static List<int> Compose(List<(int CodePoint, int Class)> points)
    {
        var result = new List<int>(points.Count);
        var (starter, lastClass) = (-1, 0);   // place of the last starter in the result; class of what follows it there, 0 when nothing does
        foreach (var (codePoint, @class) in points)
        {
            var adjacent = starter == result.Count - 1;
            if (starter >= 0 && (adjacent || lastClass < @class) && Pair(result[starter], codePoint) is { } composite)
            {
                result[starter] = composite;
                continue;
            }
            if (@class == 0)
                starter = result.Count;
            lastClass = @class;
            result.Add(codePoint);
        }
        return result;
    }

    private static int? Pair(int first, int second)
    {
        var (l, v, syllable, t) = (first - LBase, second - VBase, first - HangulBase, second - TBase);
        if (l is >= 0 and < LCount && v is >= 0 and < VCount)
            return HangulBase + (l * VCount + v) * TCount;
        if (syllable is >= 0 and < LCount * VCount * TCount && syllable % TCount == 0 && t is > 0 and < TCount)
            return first + t;
        return Composed.TryGetValue((first, second), out var composite) ? composite : null;
    }
}
