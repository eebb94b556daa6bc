namespace AnimateDiff.Noise;

/// <summary>What a model's output says about the sample x = α·x_0 + σ·ε it was given.</summary>
internal static class ModelPrediction
{
    /// <summary>The clean sample x_0.</summary>
    public static Operand Original(PredictionType type, Operand output, Operand sample, double alpha, double sigma) => type switch
    {
        PredictionType.Epsilon => (sample - sigma * output) / alpha,
        PredictionType.VPrediction => alpha * sample - sigma * output,
        _ => output,
    };

    /// <summary>The noise ε.</summary>
    public static Operand Noise(PredictionType type, Operand output, Operand sample, double alpha, double sigma) => type switch
    {
        PredictionType.Epsilon => output,
        PredictionType.VPrediction => alpha * output + sigma * sample,
        _ => (sample - alpha * output) / sigma,
    };

    /// <summary>x_0 where the signal is kept at unit scale, x = x_0 + σ·ε (Karras et al. 2022); the model saw x/√(σ²+1).</summary>
    public static Operand OriginalAtUnitScale(PredictionType type, Operand output, Operand sample, double sigma) => type switch
    {
        PredictionType.Epsilon => sample - sigma * output,
        PredictionType.VPrediction => sample / (sigma * sigma + 1) - sigma / Math.Sqrt(sigma * sigma + 1) * output,
        _ => output,
    };

    /// <summary>A predicted x_0 brought into range as the options say; as it is by default.</summary>
    public static Operand Limit(Tensor original, SchedulerOptions options)
    {
        if (options.Thresholding)
            return Threshold(original, options.DynamicThresholdingRatio, options.SampleMaxValue);
        return options.ClipSample ? original.Clamp(-options.ClipSampleRange, options.ClipSampleRange) : original;
    }

    /// <summary>One CPU draw of unit noise in the sample's shape, then on its device: the same numbers whatever the device.</summary>
    public static Operand DrawNoise(Tensor sample, Generator? generator)
    {
        if (generator is null)
            throw new ArgumentNullException(nameof(generator), "This sampler draws noise in its steps: pass the generation's generator.");
        return randn(sample.shape, ScalarType.Float32, CPU, generator: generator).to(sample.device);
    }

    // Each batch entry is clipped at a quantile of its absolute values and scaled back to ±1.
    private static Tensor Threshold(Tensor original, double ratio, double largest)
    {
        var flat = original.flatten(1);                                                                // [B, N]
        var quantile = flat.abs().quantile(tensor((float)ratio, device: flat.device), 1);
        var limit = quantile.Clamp(1, largest).unsqueeze(1);                                           // [B, 1]
        return (flat.clamp(-limit, limit) / limit).view(original.shape);
    }
}
