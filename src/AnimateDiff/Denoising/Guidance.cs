namespace AnimateDiff.Denoising;

/// <summary>Classifier-free guidance (Ho and Salimans 2022, eq. 6, in the form all implementations use).</summary>
internal static class Guidance
{
    /// <summary>Takes [2·B, …], the unconditional half first, to [B, …]: <c>u + scale·(c − u)</c>.</summary>
    public static Tensor Combine(Tensor noise, double scale)
    {
        using var scope = NewDisposeScope();
        var halves = noise.chunk(2);
        return halves[0].Add((halves[1] - halves[0]).Times(scale)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Guidance makes predictions larger than any that was trained; this brings a clip's back to the standard deviation of the positive prompt's (Lin et al. 2023,
    /// arXiv 2305.08891, §3.4), by a share of 0…1.
    /// </summary>
    /// <param name="guided">[B, …]</param>
    /// <param name="positive">[B, …]</param>
    /// <param name="share">φ in the paper.</param>
    public static Tensor Rescale(Tensor guided, Tensor positive, double share)
    {
        using var scope = NewDisposeScope();
        long[] axes = [.. Enumerable.Range(1, (int)guided.dim() - 1).Select(axis => (long)axis)];
        var scaled = guided * (positive.std(axes, keepdim: true) / guided.std(axes, keepdim: true));
        return scaled.Times(share).Add(guided.Times(1 - share)).MoveToOuterDisposeScope();
    }
}
