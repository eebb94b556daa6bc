using System.Globalization;

namespace AnimateDiff;

/// <summary>What the prompt has become at a frame.</summary>
/// <param name="Frame">Number of the frame, counting from 0; the prompt itself is at frame 0.</param>
/// <param name="Text">The prompt there.</param>
public sealed record PromptAt(int Frame, string Text)
{
    /// <summary>Reads <c>FRAME:TEXT</c>, such as <c>8:a red ball</c>.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="RequestException">There is no number before the first colon.</exception>
    public static PromptAt Parse(string text)
    {
        var colon = text.IndexOf(':');
        return colon > 0 && int.TryParse(text[..colon], NumberStyles.None, CultureInfo.InvariantCulture, out var frame)
            ? new PromptAt(frame, text[(colon + 1)..].Trim())
            : throw new RequestException($"\"{text}\" does not say at which frame the prompt is: expected FRAME:TEXT, such as \"8:a red ball\".");
    }
}
