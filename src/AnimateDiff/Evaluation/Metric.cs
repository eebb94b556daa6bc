namespace AnimateDiff.Evaluation;

/// <summary>One of the numbers measured of clips.</summary>
/// <param name="Key">Its name in JSON.</param>
/// <param name="Title">Its name in the table and the plot.</param>
/// <param name="Digits">Digits after the point that are worth showing.</param>
/// <param name="Of">The number of a clip.</param>
internal sealed record Metric(string Key, string Title, int Digits, Func<ClipMeasures, double?> Of)
{
    /// <summary>All of them in the order of the table.</summary>
    public static readonly IReadOnlyList<Metric> All =
    [
        new("text_score", "CLIP text score", 2, clip => clip.TextScore),
        new("domain_similarity", "CLIP domain similarity", 2, clip => clip.DomainSimilarity),
        new("smoothness", "CLIP smoothness", 2, clip => clip.Smoothness),
        new("change", "change (%)", 2, clip => clip.Change),
        new("motion", "motion (% of side)", 2, clip => clip.Motion),
        new("peak_motion", "peak motion (% of side)", 2, clip => clip.PeakMotion),
        new("right", "to the right (% of side)", 2, clip => clip.Right),
        new("down", "downwards (% of side)", 2, clip => clip.Down),
        new("zoom", "zoom (%)", 2, clip => clip.Zoom),
        new("warping_error", "warping error (%)", 2, clip => clip.WarpingError),
        new("flicker", "flicker (%)", 3, clip => clip.Flicker),
        new("seam", "seam (steps)", 2, clip => clip.Seam),
        new("psnr", "PSNR (dB)", 2, clip => clip.Psnr),
        new("ssim", "SSIM", 4, clip => clip.Ssim),
        new("watermark", "watermark", 3, clip => clip.Watermark),
    ];

    /// <summary>The mean over a system's clips that have it, with its 95 % interval.</summary>
    public Interval Mean(IEnumerable<ClipMeasures> clips) => Interval.OfMean([.. clips.Select(Of).OfType<double>()]);
}
