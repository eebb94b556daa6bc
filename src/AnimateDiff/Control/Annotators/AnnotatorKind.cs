namespace AnimateDiff;

/// <summary>What is made of pictures before a network that follows pictures sees them; see <see cref="Control.Annotators.Annotator"/>.</summary>
public enum AnnotatorKind
{
    /// <summary>Canny's edges: thin white lines.</summary>
    Canny,
    /// <summary>How fast the brightness changes.</summary>
    SoftEdges,
    /// <summary>Bold white strokes, as drawn by hand.</summary>
    Scribble,
    /// <summary>White lines in the strength in which the picture has dark ones.</summary>
    Lineart,
    /// <summary>Brightness in the place of depth.</summary>
    Luminance,
}
