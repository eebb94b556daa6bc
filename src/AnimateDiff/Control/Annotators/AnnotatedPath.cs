using AnimateDiff.Configs;
using AnimateDiff.Video;

namespace AnimateDiff.Control.Annotators;

/// <summary>A file of pictures with what is made of them.</summary>
internal static class AnnotatedPath
{
    /// <summary>Reads <c>[KIND=]PATH</c>. What exists under the whole text is a path.</summary>
    /// <exception cref="RequestException">There is no annotator of that name, though one whose name is near.</exception>
    public static (AnnotatorKind? Kind, string Path) Parse(string text)
    {
        var equals = text.IndexOf('=');
        if (equals < 1 || Path.Exists(text))
            return (null, text);
        var name = text[..equals];
        if (KebabNames.Parse<AnnotatorKind>(name) is { } kind)
            return (kind, text[(equals + 1)..]);
        return Nearest.Of(name, KebabNames.Of<AnnotatorKind>()) is { } near
            ? throw new RequestException($"There is no annotator {name} (did you mean {near}?), and no file {text}: expected one of {string.Join(", ", KebabNames.Of<AnnotatorKind>())}.")
            : (null, text);
    }

    /// <summary>The pictures as the network takes them.</summary>
    public static VideoFrames Annotate(AnnotatorKind? kind, VideoFrames pictures) => kind switch
    {
        null => pictures,
        AnnotatorKind.Canny => Annotator.Canny(pictures),
        AnnotatorKind.SoftEdges => Annotator.SoftEdges(pictures),
        AnnotatorKind.Scribble => Annotator.Scribble(pictures),
        AnnotatorKind.Lineart => Annotator.Lineart(pictures),
        _ => Annotator.Luminance(pictures),
    };
}
