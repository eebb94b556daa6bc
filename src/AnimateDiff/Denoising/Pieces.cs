using AnimateDiff.Layers;

namespace AnimateDiff.Denoising;

/// <summary>Some images of a clip that a layer sees without the others.</summary>
/// <param name="Clip">Number of the clip.</param>
/// <param name="Frame">The first of them, counting in the clip.</param>
/// <param name="Count">How many they are.</param>
/// <param name="Clips">B: clips there are.</param>
/// <param name="Frames">F: frames of each.</param>
internal readonly record struct Piece(long Clip, long Frame, long Count, long Clips, long Frames)
{
    /// <summary>Its part of all images, [B·F, C, H, W] → [n, C, H, W].</summary>
    public Tensor Of(Tensor images) => images.narrow(0, Clip * Frames + Frame, Count);

    /// <summary>Its part of what has one row for each clip, [B, …] → [1, …].</summary>
    public Tensor Row(Tensor clips) => clips.narrow(0, Clip, 1);

    /// <summary>Its part of what has one row for each clip or one for each image.</summary>
    public Tensor Rows(Tensor rows) => rows.shape[0] == Clips ? Row(rows) : Of(rows);
}

/// <summary>
/// Runs layers on a few images, or on a few places of all of them, at a time: what such a layer holds beside its input and its output is then a piece's, at any
/// number of frames and any size. The images of a clip meet in the motion modules alone, and there each place is for itself, so that the results are the same.
/// </summary>
/// <param name="size">Elements of a piece's input, but for a single image or place that is larger.</param>
/// <param name="inView">Told which images a piece is, where layers compute differently from frame to frame.</param>
internal sealed class Pieces(long size, FramesInView? inView)
{
    /// <summary>What <paramref name="layer"/> makes of the pieces of <paramref name="images"/>, one after the other.</summary>
    /// <param name="images">[B·F, C, H, W]</param>
    /// <param name="clips">B</param>
    /// <param name="layer">Makes [n, C', H', W'] of a piece.</param>
    public Tensor Run(Tensor images, long clips, Func<Piece, Tensor> layer)
    {
        using var scope = NewDisposeScope();
        var frames = images.shape[0] / clips;
        var most = Math.Clamp(size / (images.numel() / images.shape[0]), 1, frames);
        Tensor? result = null;                                                                               // [B·F, H', W', C']
        for (var clip = 0L; clip < clips; clip++)
            for (var frame = 0L; frame < frames; frame += most)
            {
                using var step = NewDisposeScope();
                var piece = new Piece(clip, frame, Math.Min(most, frames - frame), clips, frames);
                var shown = inView?.ShowPart(frame, piece.Count);
                var made = layer(piece).permute(0, 2, 3, 1);                                                 // channels last, as they are in memory
                if (shown is { } all)
                    inView!.ShowAll(all);
                if (piece.Count == images.shape[0])
                    return made.permute(0, 3, 1, 2).MoveToOuterDisposeScope().MoveToOuterDisposeScope();
                result ??= empty([images.shape[0], .. made.shape[1..]], made.dtype, made.device).MoveToOuterDisposeScope();
                using var own = piece.Of(result);
                own.copy_(made);
            }
        return result!.permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }

    /// <summary>Writes over <paramref name="tokens"/> what <paramref name="layer"/> makes of a few places at a time.</summary>
    /// <param name="tokens">[B, F, H·W, C]</param>
    /// <param name="layer">Keeps that shape.</param>
    public void OverPlaces(Tensor tokens, Func<Tensor, Tensor> layer)
    {
        var places = tokens.shape[2];
        var most = Math.Clamp(size / (tokens.numel() / places), 1, places);
        for (var first = 0L; first < places; first += most)
        {
            using var scope = NewDisposeScope();
            var own = tokens.narrow(2, first, Math.Min(most, places - first));
            own.copy_(layer(own.contiguous()));
        }
    }
}
