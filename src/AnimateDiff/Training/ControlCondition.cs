using AnimateDiff.Control.Annotators;
using AnimateDiff.Video;

namespace AnimateDiff.Training;

/// <summary>What a control network is trained to follow, made of the frames themselves.</summary>
internal enum ControlCondition
{
    /// <summary>The frames as they are (SparseCtrl), by their latents.</summary>
    Rgb,

    /// <summary><see cref="Annotator.Canny"/></summary>
    Canny,

    /// <summary><see cref="Annotator.Scribble"/></summary>
    Scribble,

    /// <summary><see cref="Annotator.Lineart"/></summary>
    Lineart,

    /// <summary><see cref="Annotator.Luminance"/></summary>
    Luminance,

    /// <summary><see cref="Annotator.SoftEdges"/></summary>
    Softedge,
}

internal static class ControlConditions
{
    /// <summary>The pictures to be followed.</summary>
    /// <param name="condition">What is made of the frames; null where they are those pictures already.</param>
    /// <param name="frames">The frames.</param>
    public static VideoFrames Of(this ControlCondition? condition, VideoFrames frames) => condition switch
    {
        ControlCondition.Canny => Annotator.Canny(frames),
        ControlCondition.Scribble => Annotator.Scribble(frames),
        ControlCondition.Lineart => Annotator.Lineart(frames),
        ControlCondition.Luminance => Annotator.Luminance(frames),
        ControlCondition.Softedge => Annotator.SoftEdges(frames),
        _ => frames,
    };
}
