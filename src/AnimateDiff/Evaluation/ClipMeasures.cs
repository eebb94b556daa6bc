namespace AnimateDiff.Evaluation;

/// <summary>What was measured of a clip; null for what was not, because nothing was given to measure it with or the clip is too short.</summary>
/// <param name="System">Name of the system the clip is of.</param>
/// <param name="Path">The clip's file or folder.</param>
/// <param name="Frames">Number of its frames.</param>
/// <param name="Width">Width in pixels.</param>
/// <param name="Height">Height in pixels.</param>
public sealed record ClipMeasures(string System, string Path, int Frames, int Width, int Height)
{
    /// <summary>What the text score was taken against.</summary>
    public string? Prompt { get; init; }

    /// <summary>CLIP text score: 100 · mean over the frames of cos(frame, prompt); higher follows the prompt more closely.</summary>
    public double? TextScore { get; init; }

    /// <summary>CLIP domain similarity: 100 · mean over all pairs of a frame and a reference picture of their cosine.</summary>
    public double? DomainSimilarity { get; init; }

    /// <summary>CLIP smoothness: 100 · mean over the neighbouring frames of their cosine. A clip that stands still has 100.</summary>
    public double? Smoothness { get; init; }

    /// <summary>Mean absolute difference of neighbouring frames in percent of the full range.</summary>
    public double? Change { get; init; }

    /// <summary>Mean length of motion by block matching, in percent of the shorter side per frame; what stands still counts.</summary>
    public double? Motion { get; init; }

    /// <summary>The same of the 5 % of the picture that move most.</summary>
    public double? PeakMotion { get; init; }

    /// <summary>Motion of the whole picture to the right by phase correlation, in percent of the shorter side per frame.</summary>
    public double? Right { get; init; }

    /// <summary>The same downwards.</summary>
    public double? Down { get; init; }

    /// <summary>Growth of the content in percent per frame; negative where it shrinks.</summary>
    public double? Zoom { get; init; }

    /// <summary>Mean absolute difference in percent of the full range that is left between neighbouring frames when the measured motion is undone.</summary>
    public double? WarpingError { get; init; }

    /// <summary>Up and down of the frames' mean brightness, in percent of the full range.</summary>
    public double? Flicker { get; init; }

    /// <summary>Step from the last frame to the first as a multiple of the others: 1 for a loop without a seam.</summary>
    public double? Seam { get; init; }

    /// <summary>Peak signal-to-noise ratio against the reference clip in dB, at most 60.</summary>
    public double? Psnr { get; init; }

    /// <summary>Structural similarity with the reference clip, up to 1.</summary>
    public double? Ssim { get; init; }

    /// <summary>Strength of the watermark: 1 as in its picture, 0 none.</summary>
    public double? Watermark { get; init; }
}
