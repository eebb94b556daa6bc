using System.Globalization;
using System.Text.Json.Serialization;
using AnimateDiff.Control.Annotators;

namespace AnimateDiff;

/// <summary>A picture of one frame.</summary>
/// <param name="Frame">Number of the frame, from 0; negative numbers count from the end.</param>
/// <param name="Path">The picture; scaled and cropped to the clip's size.</param>
public sealed record SparseImage(int Frame, string Path)
{
    /// <summary>What is made of the picture before the encoder sees it, such as <see cref="AnnotatorKind.Scribble"/> of a photograph; null where it is what it takes already.</summary>
    public AnnotatorKind? Annotator { get; init; }

    /// <summary>Reads <c>INDEX:[KIND=]IMAGE</c>, KIND being an annotator such as <c>scribble</c>.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="RequestException">It is something else, or there is no annotator of that name, and no file either.</exception>
    public static SparseImage Parse(string text)
    {
        var colon = text.IndexOf(':');
        if (colon < 1 || colon + 1 == text.Length || !int.TryParse(text[..colon], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var frame))
            throw new RequestException($"'{text}' is no picture of a frame: expected INDEX:IMAGE, such as 0:first.png.");
        var (kind, path) = AnnotatedPath.Parse(text[(colon + 1)..]);
        return new SparseImage(frame, path) { Annotator = kind };
    }
}

/// <summary>A SparseCtrl encoder and the pictures of the frames that it is told of.</summary>
/// <param name="Path">The encoder: an official file or a diffusers folder.</param>
/// <param name="Images">The pictures, one or more.</param>
/// <param name="Scale">Strength; 0 is off, 1 as trained. A curve is over the clip's frames or the run's steps.</param>
[method: JsonConstructor]
public sealed record SparseControl(string Path, IReadOnlyList<SparseImage> Images, Curve Scale)
{
    /// <summary>An encoder as trained.</summary>
    /// <param name="path">The encoder.</param>
    /// <param name="images">The pictures.</param>
    public SparseControl(string path, IReadOnlyList<SparseImage> images) : this(path, images, 1)
    {
    }

    /// <summary>Whether pictures are made grey and stretched to the whole range of brightness: <c>normalize_condition_images</c> of the official prompt files.</summary>
    public bool Normalize { get; init; }

    /// <summary>Reads <c>PATH[:CURVE]</c>.</summary>
    /// <param name="text">The text.</param>
    /// <param name="images">The pictures.</param>
    public static SparseControl Parse(string text, IReadOnlyList<SparseImage> images)
    {
        var (path, scale) = Curve.AtEndOf(text);
        return new SparseControl(path, images, scale ?? 1);
    }

    /// <summary>Checks what can be checked without a model.</summary>
    /// <exception cref="RequestException">There is no picture, or the strength is no number.</exception>
    /// <exception cref="FileException">A picture is missing.</exception>
    internal void Validate()
    {
        if (!Scale.IsFinite)
            throw new RequestException($"The strength {Scale} of {Path} is not possible: expected a number, usually 0 to 2.");
        if (Images.Count == 0)
            throw new RequestException($"{Path} has no picture: give it at least one, with the frame it is of.");
        foreach (var image in Images)
            if (!File.Exists(image.Path))
                throw new FileException(image.Path, $"{image.Path} does not exist; it is given as the picture of frame {image.Frame}.");
    }

    /// <summary>The pictures' frames of a clip, each 0…F−1.</summary>
    /// <param name="frames">F</param>
    /// <exception cref="RequestException">A frame is beyond the clip, or has two pictures.</exception>
    internal List<int> FramesOf(int frames)
    {
        var places = new List<int>();
        foreach (var (frame, path) in Images)
        {
            var place = frame < 0 ? frames + frame : frame;
            if (place < 0 || place >= frames)
                throw new RequestException($"{path} is given as the picture of frame {frame}, but the clip has {frames} frames, 0 to {frames - 1}.");
            if (places.Contains(place))
                throw new RequestException($"Frame {place} has two pictures, and {path} is the second: give one for each frame.");
            places.Add(place);
        }
        return places;
    }
}
