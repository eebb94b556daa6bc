namespace AnimateDiff.Evaluation;

/// <summary>
/// How far a whole picture has moved: the peak of the inverse transform of the cross spectrum's phase (C. D. Kuglin and D. C. Hines, "The phase correlation
/// image alignment method", 1975). The phases are weighted with a Gaussian's spectrum, so that the peak is about a Gaussian, whose place between pixels three
/// values tell. What is in the middle counts most.
/// </summary>
internal static class PhaseCorrelation
{
    private const double Sigma = 1;                                         // of the peak, in pixels
    private const double Noise = 0.25;                                      // variance of a pixel, of 255²
    private const double Weakest = 0.1;                                     // share of the highest possible peak, below which the pictures have nothing in common

    /// <summary>The way of the content from one picture to the next of the same size, in pixels to the right and down; (0, 0) where no way fits.</summary>
    public static (double Right, double Down) Between(Plane before, Plane after)
    {
        var (width, height) = (before.Width, before.Height);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var cross = Spectrum(after) * Spectrum(before).conj();                                              // [H, W]
        var size = cross.abs();
        var share = LowPass(width, height) / size.Add(Noise * width * height);                              // what is no more than noise has no phase
        var peaks = fft.ifftn(cross * share, dim: [0, 1]).real.contiguous().data<float>().ToArray();
        var best = Array.IndexOf(peaks, peaks.Max());
        if (peaks[best] * peaks.Length <= Weakest * (size * share).sum().item<float>())
            return (0, 0);
        var (x, y) = (best % width, best / width);
        float At(int column, int row) => peaks[(row + height) % height * width + (column + width) % width];
        return (Signed(x, width) + Offset(At(x - 1, y), peaks[best], At(x + 1, y)), Signed(y, height) + Offset(At(x, y - 1), peaks[best], At(x, y + 1)));
    }

    private static int Signed(int at, int size) => at > size / 2 ? at - size : at;

    /// <summary>Where a Gaussian through three values has its top.</summary>
    private static double Offset(float before, float at, float after)
    {
        if (before <= 0 || after <= 0)
            return 0;
        var (left, middle, right) = (Math.Log(before), Math.Log(at), Math.Log(after));
        var bend = left - 2 * middle + right;
        return bend < -1e-9 ? Math.Clamp(0.5 * (left - right) / bend, -0.5, 0.5) : 0;
    }

    /// <summary>Of a picture without its mean, faded out towards the border, which would else count as an edge that stands still.</summary>
    private static Tensor Spectrum(Plane plane)
    {
        var picture = tensor(plane.Values, [plane.Height, plane.Width]);
        return fft.fftn((picture - picture.mean()) * Window(plane.Height).unsqueeze(1) * Window(plane.Width), dim: [0, 1]);
    }

    private static Tensor Window(int size) => tensor([.. Enumerable.Range(0, size).Select(i => (float)Math.Pow(Math.Sin(Math.PI * (i + 0.5) / size), 2))]);

    private static Tensor LowPass(int width, int height) => Gaussian(height).unsqueeze(1) * Gaussian(width);                  // [H, W]

    private static Tensor Gaussian(int size) => tensor([.. Enumerable.Range(0, size).Select(i => (float)Math.Exp(-2 * Math.Pow(Math.PI * Sigma * Signed(i, size) / size, 2)))]);
}
