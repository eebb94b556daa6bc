namespace AnimateDiff;

/// <summary>How a source takes part.</summary>
public enum SourceKind
{
    /// <summary>
    /// Its frames under noise are where the run begins, and the steps before that are left out: video-to-video, as diffusers' AnimateDiffVideoToVideoPipeline does it.
    /// </summary>
    Video,
    /// <summary>One picture that the noise of later frames leans towards; all steps are run, as diffusers' community pipeline animatediff_img2video does it.</summary>
    Image,
    /// <summary>A <see cref="LatentsFile"/> is the noise the run begins from, instead of drawn noise; all steps are run.</summary>
    Latents,
}

/// <summary>What a clip is made from besides noise. Every clip of a request is made from the same source.</summary>
/// <param name="Kind">How it takes part.</param>
/// <param name="Path">A video, a picture, or a folder of pictures; of more than one frame a <see cref="SourceKind.Image"/> uses the first. Or a file of latents.</param>
/// <param name="Strength">
/// How much is made anew, above 0 up to 1. Video: the share of the steps that is run; 1 leaves next to nothing of the source.
/// Image: 1 leaves nothing of the picture, smaller values a share that grows from frame to frame, up to 1 − strength. Latents: plays no part.
/// </param>
/// <param name="Mask">
/// What to repaint (white) and what to keep as in the source (black): one picture for all frames, or a video or folder with one for each. Null: everything is repainted.
/// </param>
public sealed record ClipSource(SourceKind Kind, string Path, double Strength = ClipSource.UsualStrength, string? Mask = null)
{
    /// <summary>The strength where none is given.</summary>
    public const double UsualStrength = 0.8;

    internal void Validate(Noise.Scheduler scheduler)
    {
        if (Strength is not (> 0 and <= 1))
            throw new RequestException($"A strength of {Strength} is not possible: expected above 0 (hardly a change) up to 1 (made anew).");
        if (Kind == SourceKind.Latents && Mask is not null)
            throw new RequestException($"A mask says what to keep of a video or picture, and {Path} has latents: leave the mask out, or make the clip from the video itself.");
        foreach (var file in Mask is null ? [Path] : new[] { Path, Mask })
            if (!System.IO.Path.Exists(file))
                throw new FileException(file, $"'{file}' does not exist.");
        if (Kind == SourceKind.Video)
            _ = scheduler.StartIndex(Strength);                             // refuses a strength that leaves no step
    }
}
