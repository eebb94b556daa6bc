using System.Text.RegularExpressions;

namespace AnimateDiff.Training.Dataset;

/// <summary>Captions as they are trained on.</summary>
internal static partial class Captions
{
    /// <summary>A caption on one line, without spaces around it.</summary>
    public static string Clean(string caption) => Spaces().Replace(caption, " ").Trim();

    /// <summary>
    /// The caption of a mirrored clip: left and right change places, also in <c>leftmost</c> and <c>rightwards</c>, and clockwise with counter-clockwise.
    /// </summary>
    public static string Mirrored(string caption) => Sides().Replace(caption, word =>
    {
        var other = word.Groups["side"].Value.ToLowerInvariant() switch
        {
            "left" => "right",
            "right" => "left",
            "clockwise" => "counter-clockwise",
            _ => "clockwise",
        };
        return AsWritten(word.Groups["side"].Value, other) + word.Groups["end"].Value;
    });

    private static string AsWritten(string pattern, string word) => pattern == pattern.ToUpperInvariant() ? word.ToUpperInvariant()
        : char.IsUpper(pattern[0]) ? char.ToUpperInvariant(word[0]) + word[1..] : word;

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"\b((?<side>left|right)(?<end>most|wards?|)|(?<side>(counter|anti)[- ]?clockwise|clockwise)(?<end>))\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Sides();
}
