namespace AnimateDiff.Layers;

/// <summary>Which clips and frames a UNet's call is about. Its layers see images or their tokens in one long row, clip after clip and frame after frame.</summary>
internal sealed class FramesInView
{
    private IReadOnlyList<long> _frames = [];
    private long _clips;
    private (long First, long Total)? _piece;

    /// <summary>What the next call is about.</summary>
    /// <param name="clips">Clips of the batch.</param>
    /// <param name="frames">Frames of each.</param>
    /// <param name="window">Which frames of the clip they are; null for the first and following.</param>
    public void Show(long clips, long frames, long[]? window)
        => (_clips, _frames, _piece) = (clips, window ?? [.. Enumerable.Range(0, (int)frames).Select(frame => (long)frame)], null);

    /// <summary>Until <see cref="ShowAll"/>, layers see some frames of one clip alone.</summary>
    /// <param name="first">The first of them, counting in the clip.</param>
    /// <param name="count">How many they are.</param>
    /// <returns>What was shown before.</returns>
    public (long Clips, IReadOnlyList<long> Frames) ShowPart(long first, long count)
    {
        var all = (_clips, _frames);
        (_clips, _frames) = (1, [.. _frames.Skip((int)first).Take((int)count)]);
        return all;
    }

    /// <summary>Shows again what was shown before a part.</summary>
    public void ShowAll((long Clips, IReadOnlyList<long> Frames) all) => (_clips, _frames) = all;

    /// <summary>Until <see cref="Widen"/>, layers see a piece of <paramref name="total"/> rows that begins at row <paramref name="first"/>.</summary>
    public void Narrow(long first, long total) => _piece = (first, total);

    /// <summary>Layers see all rows again.</summary>
    public void Widen() => _piece = null;

    /// <summary>A weight for each of the rows that a layer sees, [rows].</summary>
    /// <param name="curve">The weight in each frame.</param>
    /// <param name="factor">What it is multiplied by.</param>
    /// <param name="rows">How many it sees: images, or tokens of all images.</param>
    /// <param name="like">Gives type and device.</param>
    public Tensor Weights(Curve curve, double factor, long rows, Tensor like)
    {
        using var scope = NewDisposeScope();
        float[] frames = [.. _frames.Select(frame => (float)(curve.InFrame(frame) * factor))];
        var (first, total) = _piece ?? (0, rows);
        var images = _clips * frames.Length;
        if (images == 0 || total % images != 0)
            throw new InvalidOperationException($"A layer sees {total} rows of {_clips} clips with {frames.Length} frames: each image must have as many.");
        return tensor(frames, like.dtype, like.device).repeat(_clips).repeat_interleave(total / images).narrow(0, first, rows).MoveToOuterDisposeScope();
    }
}
