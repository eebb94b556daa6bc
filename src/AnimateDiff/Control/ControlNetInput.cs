using System.Globalization;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using AnimateDiff.Control.Annotators;

namespace AnimateDiff;

/// <summary>A ControlNet and what it follows.</summary>
/// <param name="Path">The ControlNet: a diffusers folder, its weight file, or its authors' file (CompVis' layout).</param>
/// <param name="Images">One picture for all frames, or a folder or video with a picture for each; scaled and cropped to the clip's size.</param>
/// <param name="Scale">Strength; 0 is off, 1 as trained. A curve is over the clip's frames or the run's steps.</param>
/// <param name="Start">Share of the steps, 0…1, from which it acts.</param>
/// <param name="End">Share of the steps, 0…1, up to which it acts.</param>
[method: JsonConstructor]
public sealed partial record ControlNetInput(string Path, string Images, Curve Scale, double Start = 0, double End = 1)
{
    /// <summary>A ControlNet as trained, in all steps.</summary>
    /// <param name="path">The ControlNet.</param>
    /// <param name="images">What it follows.</param>
    public ControlNetInput(string path, string images) : this(path, images, 1)
    {
    }

    /// <summary>What is made of the pictures before the ControlNet sees them; null where they are what it takes already.</summary>
    public AnnotatorKind? Annotator { get; init; }

    /// <summary>Reads <c>PATH[:CURVE[:START-END]]</c>: what follows a colon and is no such number belongs to the name.</summary>
    /// <param name="model">The text.</param>
    /// <param name="images">What it follows: <c>[KIND=]FILE</c>, KIND being an annotator such as <c>canny</c>.</param>
    /// <exception cref="RequestException">There is no annotator of that name, and no file either.</exception>
    public static ControlNetInput Parse(string model, string images)
    {
        var (kind, path) = AnnotatedPath.Parse(images);
        if (Settings().Match(model) is not { Success: true } match)
            return new ControlNetInput(model, path) { Annotator = kind };
        double Value(string group, double otherwise)
            => match.Groups[group] is { Success: true } text ? double.Parse(text.Value, NumberStyles.Float, CultureInfo.InvariantCulture) : otherwise;
        return new ControlNetInput(match.Groups["path"].Value, path, Curve.Parse(match.Groups["scale"].Value), Value("start", 0), Value("end", 1)) { Annotator = kind };
    }

    /// <summary>Checks what can be checked without a model.</summary>
    /// <exception cref="RequestException">A number is out of its range.</exception>
    /// <exception cref="FileException">There is no such picture, folder or video.</exception>
    internal void Validate()
    {
        if (!Scale.IsFinite)
            throw new RequestException($"The strength {Scale} of {Path} is not possible: expected a number, usually 0 to 2.");
        if (!(Start >= 0 && Start < End && End <= 1))
            throw new RequestException($"{Path} cannot act from {Start} to {End} of the steps: expected two shares of 0 to 1, the smaller first, such as 0-0.5.");
        if (!System.IO.Path.Exists(Images))
            throw new FileException(Images, $"{Images} does not exist; {Path} needs a picture, a folder of pictures or a video.");
    }

    [GeneratedRegex($@"^(?<path>.+?):(?<scale>{Curve.Pattern})(:(?<start>\d*\.?\d+)-(?<end>\d*\.?\d+))?$")]
    private static partial Regex Settings();
}
