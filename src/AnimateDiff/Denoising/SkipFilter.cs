namespace AnimateDiff.Denoising;

/// <summary>What FreeU does where a skip joins the way up (Si et al. 2023, arXiv 2309.11497, §3.2, with diffusers' fixed amplification).</summary>
/// <param name="Backbone">Factor of the first half of the channels from below.</param>
/// <param name="Skip">Factor of the skip's lowest frequencies.</param>
internal sealed record SkipFilter(double Backbone, double Skip)
{
    /// <summary>[N, C, H, W] from below and [N, S, H, W] from across → [N, C + S, H, W].</summary>
    public Tensor Join(Tensor hidden, Tensor skip)
    {
        using var scope = NewDisposeScope();
        var (channels, half) = (hidden.shape[1], hidden.shape[1] / 2);
        return cat([hidden.narrow(1, 0, half).Times(Backbone), hidden.narrow(1, half, channels - half), Filter(skip)], 1).MoveToOuterDisposeScope();
    }

    // The lowest frequencies are −1 and 0 on both axes, 1 is not among them: so the reference implementations cut them out of the shifted spectrum.
    private Tensor Filter(Tensor skip)
    {
        var (h, w) = ((int)skip.shape[2], (int)skip.shape[3]);
        var factors = new float[h * w];
        Array.Fill(factors, 1);
        foreach (var y in new[] { 0, h - 1 })
            foreach (var x in new[] { 0, w - 1 })
                factors[y * w + x] = (float)Skip;
        var spectrum = fft.fftn(skip.to(ScalarType.Float32), dim: [-2, -1]) * tensor(factors, device: skip.device).view(h, w);
        return fft.ifftn(spectrum, dim: [-2, -1]).real.to(skip.dtype).permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);   // channels last, as images are kept
    }
}
