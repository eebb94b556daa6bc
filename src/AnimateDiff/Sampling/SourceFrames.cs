using AnimateDiff.Video;

namespace AnimateDiff.Sampling;

/// <summary>The pictures of a <see cref="ClipSource"/> in a clip's size.</summary>
/// <param name="Pictures">F frames of a video, or one image.</param>
/// <param name="Mask">White is repainted: one picture for all frames, or F; null without a mask.</param>
internal sealed record SourceFrames(VideoFrames Pictures, VideoFrames? Mask)
{
    /// <summary>A request with its number of frames, which for a video is by default the video's, as far as the motion module reaches.</summary>
    /// <param name="request">The request.</param>
    /// <param name="longest">Frames the motion module reaches.</param>
    /// <param name="warnings">Gets a sentence where the video is longer than that.</param>
    /// <param name="cancellationToken">Ends the look into the file.</param>
    /// <exception cref="FileException">The file is missing, or is no video.</exception>
    /// <exception cref="RequestException">The video has fewer frames than the request asks for.</exception>
    public static async Task<GenerationRequest> SettleAsync(GenerationRequest request, int longest, List<string> warnings, CancellationToken cancellationToken)
    {
        if (request.Source is not { Kind: SourceKind.Video } source)
            return request;
        var count = await VideoReader.CountFramesAsync(source.Path, cancellationToken);
        if (request.Frames > count)
            throw new RequestException($"{request.Frames} frames are asked for, and {source.Path} has {count}: ask for 1 to {count}, or leave the number out to take all.");
        if (request.Frames is null && count > longest)
            warnings.Add($"The first {longest} of the {count} frames of {source.Path} are used: the motion module takes no more.");
        return request with { Frames = request.Frames ?? Math.Min(count, longest) };
    }

    /// <summary>Reads the source of a request; null where it has none.</summary>
    /// <exception cref="FileException">A file is missing, damaged or no video.</exception>
    /// <exception cref="RequestException">A video or a mask has fewer frames than the clip.</exception>
    public static async Task<SourceFrames?> ReadAsync(ClipSource? source, ClipSize size, CancellationToken cancellationToken)
    {
        if (source is null)
            return null;
        var fit = new FrameSize(size.Width, size.Height);
        var pictures = (await VideoReader.ReadAsync(source.Path, fit, source.Kind == SourceKind.Video ? size.Frames : 1, cancellationToken)).Frames;
        if (source.Kind == SourceKind.Video && pictures.Frames < size.Frames)
            throw new RequestException($"{source.Path} has {pictures.Frames} frames that can be read, and {size.Frames} are asked for: ask for as many as it has.");
        var mask = source.Mask is null ? null : (await VideoReader.ReadAsync(source.Mask, fit, size.Frames, cancellationToken)).Frames;
        if (mask is not null && mask.Frames != 1 && mask.Frames < size.Frames)
            throw new RequestException($"The mask {source.Mask} has {mask.Frames} frames, and the clip {size.Frames}: give one picture for all frames, or one for each.");
        return new SourceFrames(pictures, mask);
    }
}
