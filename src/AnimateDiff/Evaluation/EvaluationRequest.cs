using AnimateDiff.Video;

namespace AnimateDiff.Evaluation;

/// <summary>Clips that are compared with others as one thing: those of one model, say.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Clips">Files, or folders of pictures; at least one.</param>
public sealed record EvaluatedSystem(string Name, IReadOnlyList<string> Clips);

/// <summary>What to measure.</summary>
/// <param name="Systems">The systems; at least one.</param>
public sealed record EvaluationRequest(IReadOnlyList<EvaluatedSystem> Systems)
{
    /// <summary>Folder of a whole CLIP model, for text score, domain similarity and smoothness; null for none of them.</summary>
    public string? Clip { get; init; }

    /// <summary>
    /// Prompts for the text score: one for all clips, or one for each in their order. None: the prompt in each clip's recipe, and no text score for clips that have none.
    /// </summary>
    public IReadOnlyList<string> Prompts { get; init; } = [];

    /// <summary>A picture, or a folder of pictures, of the domain that the clips should be of: usually made by the same personalised model without motion.</summary>
    public string? Reference { get; init; }

    /// <summary>The clip that PSNR and SSIM compare with, or a folder with a clip for each one under the same name.</summary>
    public string? Against { get; init; }

    /// <summary>A watermark's picture: a PNG of the whole frame, transparent but for the mark.</summary>
    public string? Watermark { get; init; }

    /// <summary>Strength of a mark that is known otherwise; instead of <see cref="Watermark"/>.</summary>
    internal Func<VideoFrames, double>? MarkStrength { get; init; }

    /// <summary>Whether all clips are loops, whose seam is measured; else those are whose recipe says so.</summary>
    public bool Closed { get; init; }

    /// <summary>Where CLIP computes: <c>cpu</c> or <c>cuda</c>.</summary>
    public string Device { get; init; } = "cpu";

    internal void Validate()
    {
        if (Systems.Count == 0 || Systems.Any(system => system.Clips.Count == 0))
            throw new RequestException("There is no clip to measure: name files, or folders that hold clips.");
        var clips = Systems.Sum(system => system.Clips.Count);
        if (Clip is null && Reference is not null)
            throw new RequestException("The similarity to reference pictures is CLIP's: give the folder of a CLIP model too (--clip openai/clip-vit-large-patch14), or no reference.");
        if (Clip is null && Prompts.Count > 0)
            throw new RequestException("The text score is CLIP's: give the folder of a CLIP model too (--clip openai/clip-vit-large-patch14), or no prompt.");
        if (Prompts.Count > 1 && Prompts.Count != clips)
            throw new RequestException($"There are {Prompts.Count} prompts for {clips} clips; give one for all of them, or one for each in their order.");
        foreach (var path in new[] { Reference, Against, Watermark }.OfType<string>())
            if (!Path.Exists(path))
                throw new FileException(path, $"'{path}' does not exist.");
    }
}

/// <summary>How far an evaluation is.</summary>
/// <param name="Done">Clips measured.</param>
/// <param name="Total">Clips there are.</param>
public readonly record struct EvaluationProgress(int Done, int Total);
