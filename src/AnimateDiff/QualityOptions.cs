using System.Globalization;
using System.Text.RegularExpressions;

namespace AnimateDiff;

/// <summary>
/// FreeU (Si et al. 2023, arXiv 2309.11497): in the two innermost levels on the way up, half of the channels from below are amplified and the low
/// frequencies of what comes across are damped.
/// </summary>
/// <param name="S1">Low frequencies of the skip at the innermost level; 1 leaves them as they are, usually 0.9.</param>
/// <param name="S2">The same one level above, usually 0.2.</param>
/// <param name="B1">Channels from below at the innermost level; 1 leaves them as they are, usually 1.2 to 1.5.</param>
/// <param name="B2">The same one level above, usually 1.4 to 1.6.</param>
public sealed record FreeU(double S1, double S2, double B1, double B2)
{
    /// <summary>Reads <c>S1,S2,B1,B2</c>.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="RequestException">It is something else.</exception>
    public static FreeU Parse(string text)
    {
        double?[] numbers = [.. text.Split(',').Select(OptionText.Number)];
        return numbers is [{ } s1, { } s2, { } b1, { } b2] ? new FreeU(s1, s2, b1, b2)
            : throw new RequestException($"FreeU takes four numbers S1,S2,B1,B2, such as 0.9,0.2,1.2,1.4, but it was given {text}.");
    }

    internal void Validate()
    {
        if (new[] { S1, S2, B1, B2 }.Any(number => !double.IsFinite(number) || number <= 0))
            throw new RequestException($"FreeU cannot be computed with {S1},{S2},{B1},{B2}: expected four numbers above 0, such as 0.9,0.2,1.2,1.4.");
    }
}

/// <summary>
/// Perturbed-attention guidance (Ahn et al. 2024, arXiv 2403.17377): away from what the UNet says where some of its layers see every place by itself
/// alone. Costs a third branch, half as much again as guidance alone.
/// </summary>
/// <param name="Scale">Strength; 0 is off, usually 3.</param>
/// <param name="Layers">Regular expressions over the names of the self-attentions, such as <c>mid</c>; layers that one of them matches are perturbed.</param>
public sealed record PerturbedAttention(double Scale, IReadOnlyList<string> Layers)
{
    /// <summary>The layers where none are named: the spatial self-attention of the middle block, and its motion module's in v2.</summary>
    public static IReadOnlyList<string> UsualLayers { get; } = ["mid_block.*attn1"];

    /// <summary>Reads <c>SCALE[:LAYERS]</c>, the layers separated by commas.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="RequestException">It is something else.</exception>
    public static PerturbedAttention Parse(string text)
    {
        var colon = text.IndexOf(':');
        return OptionText.Number(colon < 0 ? text : text[..colon]) is { } scale
            ? new PerturbedAttention(scale, colon < 0 ? UsualLayers : text[(colon + 1)..].Split(','))
            : throw new RequestException($"Perturbed-attention guidance takes SCALE or SCALE:LAYERS, such as 3 or 3:mid,up_blocks.1, but it was given {text}.");
    }

    /// <summary>The layers as expressions; they run in linear time.</summary>
    internal IEnumerable<Regex> Expressions => Layers.Select(layer =>
    {
        try
        {
            return new Regex(layer, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            throw new RequestException($"The layers {layer} of perturbed-attention guidance are no regular expression ({error.Message}): expected such as mid or up_blocks.1.", error);
        }
    });

    internal void Validate()
    {
        if (!double.IsFinite(Scale) || Scale < 0)
            throw new RequestException($"A perturbed-attention guidance of {Scale} is not possible: expected 0 or more, usually 3.");
        if (Layers.Count == 0 || Layers.Any(string.IsNullOrWhiteSpace))
            throw new RequestException("Perturbed-attention guidance names no layers: expected such as mid, or none and no colon for the usual ones.");
        _ = Expressions.Count();
    }
}

/// <summary>
/// FreeNoise (Qiu et al. 2023, arXiv 2310.15169): clips longer than the motion module was trained for. Within each motion module, windows of frames
/// attend for themselves and what several of them say of a frame is averaged; the frames' noise is the first frames', shuffled.
/// </summary>
/// <param name="Length">Frames of a window, at most the motion module's length.</param>
/// <param name="Stride">Frames from the begin of one window to the begin of the next.</param>
public sealed record FreeNoise(int Length, int Stride)
{
    /// <summary>Reads <c>LENGTH:STRIDE</c>.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="RequestException">It is something else.</exception>
    public static FreeNoise Parse(string text)
        => text.Split(':').Select(OptionText.Whole).ToArray() is [{ } length, { } stride] ? new FreeNoise(length, stride)
            : throw new RequestException($"FreeNoise takes LENGTH:STRIDE in frames, such as 16:4, but it was given {text}.");

    internal void Validate()
    {
        if (Length < 2 || Stride < 1 || Stride > Length)
            throw new RequestException($"FreeNoise cannot be computed with {Length}:{Stride}: expected windows of 2 frames or more, and a stride from 1 to the window's length.");
    }
}

/// <summary>
/// Context windows: in every step the UNet sees a clip in overlapping windows of frames, and what several windows say of a frame is averaged, with more
/// weight for a window's middle. So a clip may be longer than the motion module was trained for, at the memory of one window.
/// </summary>
/// <param name="Length">Frames of a window, at most the motion module's length; usually 16, what the modules were trained with.</param>
/// <param name="Overlap">Frames that neighbouring windows share, usually 4.</param>
/// <param name="Closed">Whether windows go on from the last frame to the first, so that the clip loops.</param>
public sealed record FrameContext(int Length, int Overlap, bool Closed = false)
{
    /// <summary>Reads <c>LENGTH:OVERLAP[:closed]</c>.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="RequestException">It is something else.</exception>
    public static FrameContext Parse(string text)
    {
        var words = text.Split(':');
        return words is ([_, _] or [_, _, "closed"]) && OptionText.Whole(words[0]) is { } length && OptionText.Whole(words[1]) is { } overlap
            ? new FrameContext(length, overlap, words.Length == 3)
            : throw new RequestException($"Context windows take LENGTH:OVERLAP or LENGTH:OVERLAP:closed in frames, such as 16:4, but they were given {text}.");
    }

    internal void Validate()
    {
        if (Length < 2 || Overlap < 0 || Overlap >= Length)
            throw new RequestException($"Context windows of {Length} frames with an overlap of {Overlap} are not possible: expected 2 frames or more, and an overlap from 0 to one less than them.");
    }
}

/// <summary>How the frames' initial noises belong together.</summary>
public enum NoiseKind
{
    /// <summary>Each frame has its own.</summary>
    Random,
    /// <summary>That of the first window's frames again and again.</summary>
    Repeated,
    /// <summary>The first window's frames have their own, later ones take theirs over in another order, as in FreeNoise.</summary>
    Shuffled,
    /// <summary>All frames have one and the same.</summary>
    Constant,
    /// <summary>Each frame has its own, of a seed of its own: the request's plus the frame's number. So a longer clip begins with the noise of a shorter one.</summary>
    PerFrame,
}

/// <summary>Numbers in the options' text.</summary>
internal static class OptionText
{
    public static double? Number(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;

    public static int? Whole(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
