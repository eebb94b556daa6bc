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
}
