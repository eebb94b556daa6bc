namespace AnimateDiff.Sampling;

/// <summary>The latents of finished clips, in memory or in files.</summary>
/// <param name="read">Those of some frames of all clips, [B, 4, n, h, w], the caller's to dispose.</param>
/// <param name="blocks">Frames to take together.</param>
/// <param name="owner">What holds them; disposed with this.</param>
internal sealed class ClipLatents(Func<long[], Tensor> read, IReadOnlyList<long[]> blocks, IDisposable owner) : IDisposable
{
    /// <summary>All frames in order, as many together as are read at once.</summary>
    public IReadOnlyList<long[]> Blocks => blocks;

    /// <summary>The latents of a block, [B, 4, n, h, w], the caller's to dispose.</summary>
    public Tensor Read(long[] block) => read(block);

    /// <summary>Latents [B, 4, F, h, w] in memory, taken over.</summary>
    public static ClipLatents Of(Tensor latents) => new(frames => latents.index_select(2, tensor(frames, device: latents.device)), [[.. Enumerable.Range(0, (int)latents.shape[2]).Select(frame => (long)frame)]], latents);

    public void Dispose() => owner.Dispose();
}
