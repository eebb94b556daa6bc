using System.Globalization;

namespace AnimateDiff.Text;

/// <summary>A piece of a prompt and how much it counts.</summary>
internal readonly record struct WeightedText(string Text, float Weight);

/// <summary>
/// The weights of a prompt: <c>(text:1.2)</c> counts 1.2 times, nested weights multiply. Everything else means itself, as in diffusers: parentheses without a
/// number, brackets, <c>(text:)</c>, <c>(:1.2)</c>, numbers beyond ±10 (so that "(at 10:30)" is text), and backslashes. A backslash keeps the character after
/// it from being syntax: <c>\(text:1.2\)</c> has no weight.
/// </summary>
internal static class PromptWeights
{
    private const float Largest = 10;

    /// <summary>The prompt's text in order; one piece of weight 1 for a prompt without weights.</summary>
    public static IReadOnlyList<WeightedText> Parse(string prompt)
    {
        var pieces = new List<WeightedText>();
        var (weights, from) = (new Stack<float>([1f]), 0);
        void Add(int to)
        {
            if (to > from)
                pieces.Add(new WeightedText(prompt[from..to], weights.Peek()));
        }
        foreach (var mark in Marks(prompt))
        {
            Add(mark.Start);
            if (mark.Weight is { } weight)
                weights.Push(weights.Peek() * weight);
            else
                weights.Pop();
            from = mark.End;
        }
        Add(prompt.Length);
        return pieces.Count > 0 ? pieces : [new WeightedText("", 1)];
    }

    /// <summary>The syntax in the prompt, in order: each "(" that opens a weight, and each ":number)" that closes one.</summary>
    private static IEnumerable<(int Start, int End, float? Weight)> Marks(string prompt)
    {
        var marks = new List<(int Start, int End, float? Weight)>();
        var open = new Stack<int>();
        for (var i = 0; i < prompt.Length; i++)
        {
            if (prompt[i] == '\\')
                i++;
            else if (prompt[i] == '(')
                open.Push(i);
            else if (prompt[i] == ')' && open.TryPop(out var start) && TryWeight(prompt, start, i, out var colon, out var weight))
                marks.AddRange([(start, start + 1, weight), (colon, i + 1, null)]);
        }
        return marks.OrderBy(mark => mark.Start);
    }

    private static bool TryWeight(string prompt, int open, int close, out int colon, out float weight)
    {
        for (colon = close - 1; colon > open && (char.IsAsciiDigit(prompt[colon]) || prompt[colon] is '.' or '-' or '+' or ' ');)
            colon--;
        const NumberStyles style = NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite;
        weight = 1;
        return prompt[colon] == ':' && !prompt.AsSpan(open + 1, colon - open - 1).IsWhiteSpace()
            && float.TryParse(prompt.AsSpan(colon + 1, close - colon - 1), style, CultureInfo.InvariantCulture, out weight) && Math.Abs(weight) <= Largest;
    }
}
