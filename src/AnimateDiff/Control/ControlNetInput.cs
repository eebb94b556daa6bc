using System.Globalization;
using System.Text.RegularExpressions;

namespace AnimateDiff;

/// <summary>A ControlNet and what it follows.</summary>
/// <param name="Path">The ControlNet: a diffusers folder, or its weight file.</param>
/// <param name="Images">One picture for all frames, or a folder or video with a picture for each; scaled and cropped to the clip's size.</param>
/// <param name="Scale">Strength; 0 is off, 1 as trained.</param>
/// <param name="Start">Share of the steps, 0…1, from which it acts.</param>
/// <param name="End">Share of the steps, 0…1, up to which it acts.</param>
public sealed partial record ControlNetInput(string Path, string Images, double Scale = 1, double Start = 0, double End = 1)
{
    /// <summary>Reads <c>PATH[:SCALE[:START-END]]</c>: what follows a colon and is no such number belongs to the name.</summary>
    /// <param name="model">The text.</param>
    /// <param name="images">What it follows.</param>
    public static ControlNetInput Parse(string model, string images)
    {
        if (Settings().Match(model) is not { Success: true } match)
            return new ControlNetInput(model, images);
        double Value(string group, double otherwise)
            => match.Groups[group] is { Success: true } text ? double.Parse(text.Value, NumberStyles.Float, CultureInfo.InvariantCulture) : otherwise;
        return new ControlNetInput(match.Groups["path"].Value, images, Value("scale", 1), Value("start", 0), Value("end", 1));
    }

    /// <summary>Checks what can be checked without a model.</summary>
    /// <exception cref="RequestException">A number is out of its range.</exception>
    /// <exception cref="FileException">There is no such picture, folder or video.</exception>
    internal void Validate()
    {
        if (!double.IsFinite(Scale))
            throw new RequestException($"The strength {Scale} of {Path} is not possible: expected a number, usually 0 to 2.");
        if (!(Start >= 0 && Start < End && End <= 1))
            throw new RequestException($"{Path} cannot act from {Start} to {End} of the steps: expected two shares of 0 to 1, the smaller first, such as 0-0.5.");
        if (!System.IO.Path.Exists(Images))
            throw new FileException(Images, $"{Images} does not exist; {Path} needs a picture, a folder of pictures or a video.");
    }

    [GeneratedRegex(@"^(?<path>.+?):(?<scale>-?\d*\.?\d+)(:(?<start>\d*\.?\d+)-(?<end>\d*\.?\d+))?$")]
    private static partial Regex Settings();
}
