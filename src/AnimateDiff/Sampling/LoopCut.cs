namespace AnimateDiff.Sampling;

/// <summary>
/// Where a closed clip is cut open. A loop has no first frame, but files do: each clip begins at the frame that differs least from the one before it, so that the
/// seam between its end and its begin is the calmest place of the loop.
/// </summary>
internal static class LoopCut
{
    /// <summary>Clips that begin at their calmest place; the given ones are taken over.</summary>
    public static ClipLatents Apply(ClipLatents latents)
    {
        var starts = Starts(latents);
        var frames = latents.Blocks.Sum(block => block.Length);
        return starts.All(start => start == 0) ? latents : new ClipLatents(block =>
        {
            using var scope = NewDisposeScope();
            return cat([.. starts.Select((start, clip) => latents.Read([.. block.Select(frame => (frame + start) % frames)]).narrow(0, clip, 1))]).MoveToOuterDisposeScope();
        }, latents.Blocks, latents);
    }

    // For each clip the frame with the least mean difference from the one before; that before the first is the last.
    private static long[] Starts(ClipLatents latents)
    {
        using var scope = NewDisposeScope();
        static Tensor Change(Tensor before, Tensor clips) => (clips - before).abs().mean([1, 3, 4]);       // [B, 4, n, h, w] twice → [B, n]
        var changes = new List<Tensor>();
        Tensor? first = null, last = null;
        foreach (var block in latents.Blocks)
        {
            var clips = latents.Read(block);
            var count = clips.shape[2];
            if (last is not null)
                changes.Add(Change(last, clips.narrow(2, 0, 1)));
            changes.Add(Change(clips.narrow(2, 0, count - 1), clips.narrow(2, 1, count - 1)));
            first ??= clips.narrow(2, 0, 1);
            last = clips.narrow(2, count - 1, 1);
        }
        return cat([Change(last!, first!), .. changes], 1).argmin(1).data<long>().ToArray();                  // [B]
    }
}
