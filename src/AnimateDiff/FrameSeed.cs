using System.Globalization;

namespace AnimateDiff;

/// <summary>A frame whose initial noise is drawn from a seed of its own; every other frame keeps its noise.</summary>
/// <param name="Frame">Number of the frame, counting from 0.</param>
/// <param name="Seed">The seed.</param>
public sealed record FrameSeed(int Frame, ulong Seed)
{
    /// <summary>Reads <c>FRAME:SEED</c>, such as <c>8:1234</c>.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="RequestException">It is something else.</exception>
    public static FrameSeed Parse(string text)
    {
        var words = text.Split(':');
        return words.Length == 2 && OptionText.Whole(words[0]) is { } frame && ulong.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
            ? new FrameSeed(frame, seed)
            : throw new RequestException($"A frame's seed takes FRAME:SEED in whole numbers, such as 8:1234, but it was given {text}.");
    }

    /// <summary>Refuses seeds of frames that the clip does not have, and several of one frame.</summary>
    /// <exception cref="RequestException">There are such seeds.</exception>
    internal static void Check(IReadOnlyList<FrameSeed> seeds, int frames)
    {
        foreach (var seed in seeds)
            if (seed.Frame < 0 || seed.Frame >= frames)
                throw new RequestException($"Frame {seed.Frame} is given the seed {seed.Seed}; the clip's frames are 0 to {frames - 1}.");
        if (seeds.GroupBy(seed => seed.Frame).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new RequestException($"Frame {twice.Key} has {twice.Count()} seeds: give one.");
    }
}
