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

    /// <summary>Whether any of the scales asks for guidance.</summary>
    public static bool IsOn(Curve scale) => scale.Values.Any(value => value > 1);

    /// <summary>The same of [2·B, C, n, h, w] with a scale for each frame; frames of 1 and below go without guidance.</summary>
    /// <param name="noise">The predictions.</param>
    /// <param name="scale">The scale.</param>
    /// <param name="window">Which frames they are; null for the first and following.</param>
    public static Tensor Combine(Tensor noise, Curve scale, long[]? window = null)
    {
        if (scale.IsConstant)
            return Combine(noise, scale.InFrame(0));
        using var scope = NewDisposeScope();
        var halves = noise.chunk(2);
        float[] scales = [.. scale.InFrames(noise.shape[2], window).Select(own => Math.Max(own, 1))];
        return halves[0].Add((halves[1] - halves[0]) * tensor(scales, noise.dtype, noise.device).view(-1, 1, 1)).MoveToOuterDisposeScope();
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
