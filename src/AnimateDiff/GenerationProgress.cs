namespace AnimateDiff;

/// <summary>What a pipeline is doing.</summary>
public enum GenerationStage
{
    /// <summary>Reading weights; counted in parts of the model.</summary>
    Load,
    /// <summary>Encoding the prompts.</summary>
    Encode,
    /// <summary>Denoising; counted in model evaluations.</summary>
    Denoise,
    /// <summary>Decoding latents to frames; counted in frames.</summary>
    Decode,
    /// <summary>Making frames between frames; counted in pairs of frames.</summary>
    Interpolate,
    /// <summary>Making frames larger; counted in frames.</summary>
    Upscale,
}

/// <summary>A step of a generation that is done.</summary>
/// <param name="Stage">What is being done.</param>
/// <param name="Done">Units done, from 0.</param>
/// <param name="Total">Units there are.</param>
public readonly record struct GenerationProgress(GenerationStage Stage, int Done, int Total);
