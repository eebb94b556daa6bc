using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using AnimateDiff.Text;

namespace AnimateDiff.Tests.Text;

public class PromptWeightsTests
{
    [Theory]
    [InlineData("(a dog:1.2)", "a dog=1.2")]
    [InlineData("a (red:1.5) cat", "a =1|red=1.5| cat=1")]
    [InlineData("((dog:1.5) and cat:0.5)", "dog=0.75| and cat=0.5")]
    [InlineData("(a (b) c:2)", "a (b) c=2")]
    [InlineData("(a: b:.5)", "a: b=0.5")]
    [InlineData("(a:-1)", "a=-1")]
    [InlineData("(a : +1.25 )", "a =1.25")]
    [InlineData(":) (a:2) :(", ":) =1|a=2| :(=1")]
    public void Numbers_weigh(string prompt, string expected) => Assert.Equal(expected, Show(PromptWeights.Parse(prompt)));

    [Theory]
    [InlineData("")]
    [InlineData("(dog)")]
    [InlineData("((dog)) [cat] {bird}")]
    [InlineData("(dog:)")]
    [InlineData("(:1.2)")]
    [InlineData("( :1.2)")]
    [InlineData("(:)")]
    [InlineData("()")]
    [InlineData("(dog:1.2")]
    [InlineData("dog:1.2)")]
    [InlineData("(dog:1.2.3)")]
    [InlineData("(dog:1e2)")]
    [InlineData("(dog:NaN)")]
    [InlineData("(dog:1,2)")]
    [InlineData("(at 10:30)")]
    [InlineData("[dog:1.2]")]
    [InlineData(@"\(dog:1.2\)")]
    [InlineData(@"(dog:1.2\)")]
    [InlineData(@"miku \(singer\)")]
    [InlineData(@"\")]
    public void Everything_else_means_itself(string prompt) => Assert.Equal([new WeightedText(prompt, 1)], PromptWeights.Parse(prompt));

    [Fact]
    public void Rendered_weights_are_read_back()
    {
        var random = new Random(3);
        for (var i = 0; i < 500; i++)
        {
            var (prompt, expected) = (new StringBuilder(), new List<WeightedText>());
            Render(random, prompt, expected, weight: 1, depth: 3);
            Assert.Equal(Merge(expected), Merge(PromptWeights.Parse(prompt.ToString())));
        }
    }

    [Fact]
    public void Nothing_but_syntax_is_lost_from_random_text()
    {
        var random = new Random(4);
        for (var i = 0; i < 20_000; i++)
        {
            var prompt = string.Concat(Enumerable.Range(0, random.Next(16)).Select(_ => "ab ((((::::))))12.5\\["[random.Next(20)]));
            var (left, lost) = (string.Concat(PromptWeights.Parse(prompt).Select(piece => piece.Text)), "");
            var at = 0;
            foreach (var letter in prompt)   // pieces come in order, so the first place where a letter of the text can stand is as good as any
            {
                if (at < left.Length && left[at] == letter)
                    at++;
                else
                    lost += letter;
            }
            Assert.Equal(left.Length, at);
            if (!Regex.IsMatch(prompt, @":[ ]*[\d.]+[ ]*\)"))
                Assert.Equal(prompt, left);
            Assert.Equal(lost.Count(letter => letter == '('), lost.Count(letter => letter == ')'));
            Assert.Equal(lost.Count(letter => letter == ':'), lost.Count(letter => letter == ')'));
        }
    }

    private static void Render(Random random, StringBuilder prompt, List<WeightedText> expected, float weight, int depth)
    {
        for (var parts = random.Next(1, 4); parts > 0; parts--)
        {
            var text = new[] { "dog ", "a (red) ", "10:30 ", "[x] " }[random.Next(4)];
            prompt.Append(text);
            expected.Add(new WeightedText(text, weight));
            if (depth == 0 || random.Next(2) == 0)
                continue;
            var factor = random.Next(1, 8) / 4f;
            prompt.Append('(');
            Render(random, prompt, expected, weight * factor, depth - 1);
            prompt.Append(':').Append(factor.ToString(CultureInfo.InvariantCulture)).Append(')');
        }
    }

    private static List<WeightedText> Merge(IEnumerable<WeightedText> pieces)
    {
        var merged = new List<WeightedText>();
        foreach (var piece in pieces)
        {
            if (merged.Count > 0 && merged[^1].Weight == piece.Weight)
                merged[^1] = piece with { Text = merged[^1].Text + piece.Text };
            else
                merged.Add(piece);
        }
        return merged;
    }

    private static string Show(IEnumerable<WeightedText> pieces) =>
        string.Join('|', pieces.Select(piece => string.Create(CultureInfo.InvariantCulture, $"{piece.Text}={piece.Weight}")));
}
