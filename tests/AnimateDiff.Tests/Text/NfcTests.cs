using System.Security.Cryptography;
using System.Text;
using AnimateDiff.Text;

namespace AnimateDiff.Tests.Text;

/// <summary>The sums are printed by src/AnimateDiff/Text/make_nfc_data.py, which takes them from Python's unicodedata.</summary>
public class NfcTests
{
    [Fact]
    public void Every_code_point_is_normalised_as_the_reference_does() =>
        Assert.Equal("900f12a0fd5b368b56e972d9dcc9cc0584951930f9d9724d079e44f36f332796", Sum(rune => Nfc.Normalize(rune.ToString())));

    [Fact]
    public void Marks_are_sorted_and_composed_as_the_reference_does() =>
        Assert.Equal("6963c0b7aa55ed3f6277099f7b714ccd4cce6dc1db43f9310943075cfc059f50", Sum(rune => Nfc.Normalize(rune + "\u0323\u0301")));

    [Theory]
    [InlineData("e\u0301", "é")]
    [InlineData("a\u0323\u0302", "\u1EAD")]           // two marks onto one letter
    [InlineData("q\u0307\u0323", "q\u0323\u0307")]    // sorted, nothing to compose
    [InlineData("a\u0345\u0301", "\u00E1\u0345")]     // the mark between does not block
    [InlineData("\u1112\u1161\u11AB", "한")]
    [InlineData("\uD55C\u11A7", "\uD55C\u11A7")]      // U+11A7 is no final consonant
    [InlineData("\u0958", "\u0915\u093C")]            // excluded from composition
    public void Examples(string text, string expected) => Assert.Equal(expected, Nfc.Normalize(text));

    [Fact]
    public void Lone_surrogate_is_replaced() => Assert.Equal("a\uFFFDb", Nfc.Normalize("a\uD800b"));

    private static string Sum(Func<Rune, string> normalize)
    {
        var runes = Enumerable.Range(0, 0x110000).Where(Rune.IsValid).Select(value => normalize(new Rune(value)));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', runes))));
    }
}
