using AnimateDiff.Control.Annotators;
using AnimateDiff.Video;

namespace AnimateDiff.Control;

/// <summary>Conditions from files, as the networks take them.</summary>
internal static class ControlPictures
{
    /// <summary>What a ControlNet follows, 1 or F frames.</summary>
    /// <exception cref="FileException">It cannot be read, or has several pictures and fewer than frames.</exception>
    public static VideoFrames Follow(ControlNetInput input, ClipSize size, bool inFile, CancellationToken cancellationToken)
    {
        var clip = AnnotatedPath.Annotate(input.Annotator, Read(input.Images, size, size.Frames, inFile, cancellationToken));
        return clip.Frames == 1 || clip.Frames == size.Frames
            ? clip
            : throw new FileException(input.Images, $"{input.Images} has {clip.Frames} pictures for {size.Frames} frames: give one for all, or {size.Frames} or more.");
    }

    /// <summary>The pictures of some frames, [n, 3, H, W] in 0…1 on the CPU.</summary>
    /// <exception cref="FileException">One cannot be read.</exception>
    public static Tensor Sparse(SparseControl control, ClipSize size, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        var pictures = cat([.. control.Images.Select(image => ToTensor(AnnotatedPath.Annotate(image.Annotator, Read(image.Path, size, 1, inFile: false, cancellationToken))))]);
        return (control.Normalize ? Normalized(pictures) : pictures).MoveToOuterDisposeScope();
    }

    /// <summary>The files a source of pictures for so many frames is made of, for recording.</summary>
    public static IEnumerable<string> FilesOf(string source, int frames) => Directory.Exists(source) ? PictureReader.InFolder(source).Take(frames) : [source];

    private static VideoFrames Read(string path, ClipSize size, int frames, bool inFile, CancellationToken cancellationToken)
    {
        var pictures = new VideoFramesBuilder(frames, inFile);
        foreach (var picture in VideoReader.Parts(path, new FrameSize(size.Width, size.Height), frames, together: 1, cancellationToken))
            pictures.Append(picture[0], size.Height, size.Width);
        return pictures.BuildShorter();
    }

    /// <summary>Pictures as the networks take them, [n, 3, H, W] in 0…1 on the CPU.</summary>
    public static Tensor ToTensor(VideoFrames pictures)
    {
        using var scope = NewDisposeScope();
        return pictures.ToTensor().Add(1).Over(2).MoveToOuterDisposeScope();                                 // −1…1 → 0…1
    }

    // Grey, and from the darkest place to the lightest 0…1, as the official script does; a picture of one grey is left black.
    private static Tensor Normalized(Tensor pictures)
    {
        var grey = pictures.mean([1], keepdim: true);                                                        // [n, 1, H, W]
        var stretched = grey - grey.amin([2, 3], keepdim: true);
        return stretched.div(stretched.amax([2, 3], keepdim: true)).nan_to_num(0).repeat(1, 3, 1, 1);
    }
}
