using AnimateDiff.Video;

namespace AnimateDiff.Sampling;

/// <summary>The pictures of a <see cref="ClipSource"/> in a clip's size.</summary>
internal static class SourceFrames
{
    /// <summary>A request with its number of frames, which for a video is by default the video's, as far as the motion module reaches; for latents with all of their size.</summary>
    /// <param name="request">The request.</param>
    /// <param name="longest">Frames the motion module reaches.</param>
    /// <param name="pixels">Pixels of a latent pixel.</param>
    /// <param name="warnings">Gets a sentence where the video is longer than that, or the run not the way back of the latents' inversion.</param>
    /// <param name="cancellationToken">Ends the look into the file.</param>
    /// <exception cref="FileException">The file is missing, or is no video or no latents.</exception>
    /// <exception cref="RequestException">The video has fewer frames than the request asks for, or the latents another size.</exception>
    public static async Task<GenerationRequest> SettleAsync(GenerationRequest request, int longest, int pixels, List<string> warnings, CancellationToken cancellationToken)
    {
        if (request.Source is { Kind: SourceKind.Latents } latents)
            return LatentsFile.Open(latents.Path).Settle(request, pixels, warnings);
        if (request.Source is not { Kind: SourceKind.Video } source)
            return request;
        var count = await VideoReader.CountFramesAsync(source.Path, cancellationToken);
        if (request.Frames > count)
            throw new RequestException($"{request.Frames} frames are asked for, and {source.Path} has {count}: ask for 1 to {count}, or leave the number out to take all.");
        if (request.Frames is null && count > longest)
            warnings.Add($"The first {longest} of the {count} frames of {source.Path} are used: the motion module takes no more.");
        return request with { Frames = request.Frames ?? Math.Min(count, longest) };
    }

    /// <summary>The pictures of a source, some frames after the other: F of a video, one of an image.</summary>
    /// <param name="source">The source.</param>
    /// <param name="size">Of the clips.</param>
    /// <param name="together">Frames in each part but the last.</param>
    /// <param name="cancellationToken">Stops between frames.</param>
    /// <exception cref="FileException">The file is missing, damaged or no video.</exception>
    /// <exception cref="RequestException">A video has fewer frames than the clip.</exception>
    public static IEnumerable<VideoFrames> Pictures(ClipSource source, ClipSize size, int together, CancellationToken cancellationToken)
    {
        var frames = 0;
        foreach (var part in VideoReader.Parts(source.Path, new FrameSize(size.Width, size.Height), source.Kind == SourceKind.Video ? size.Frames : 1, together, cancellationToken))
        {
            frames += part.Frames;
            yield return part;
        }
        if (source.Kind == SourceKind.Video && frames < size.Frames)
            throw new RequestException($"{source.Path} has {frames} frames that can be read, and {size.Frames} are asked for: ask for as many as it has.");
    }

    /// <summary>The pictures of a mask, some frames after the other: white is repainted; F, or one for all frames.</summary>
    /// <param name="mask">A picture, a video or a folder.</param>
    /// <param name="size">Of the clips.</param>
    /// <param name="together">Frames in each part but the last.</param>
    /// <param name="cancellationToken">Stops between frames.</param>
    /// <exception cref="FileException">The file is missing, damaged or no video.</exception>
    /// <exception cref="RequestException">It has several frames and fewer than the clip.</exception>
    public static IEnumerable<VideoFrames> Mask(string mask, ClipSize size, int together, CancellationToken cancellationToken)
    {
        var frames = 0;
        foreach (var part in VideoReader.Parts(mask, new FrameSize(size.Width, size.Height), size.Frames, together, cancellationToken))
        {
            frames += part.Frames;
            yield return part;
        }
        if (frames != 1 && frames < size.Frames)
            throw new RequestException($"The mask {mask} has {frames} frames, and the clip {size.Frames}: give one picture for all frames, or one for each.");
    }
}
