using System.Globalization;

namespace AnimateDiff.Cli;

/// <summary>An argument of the form <c>FILE[:SCALE]</c>.</summary>
internal static class ScaledFile
{
    /// <summary>Splits at the last colon if what follows is a number; otherwise the colon belongs to the name and the scale is 1.</summary>
    public static (string Path, double Scale) Parse(string text)
    {
        var colon = text.LastIndexOf(':');
        return colon > 0 && double.TryParse(text[(colon + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out var scale) && double.IsFinite(scale)
            ? (text[..colon], scale)
            : (text, 1.0);
    }
}
