using AnimateDiff.Video;

namespace AnimateDiff.Control.Annotators;

/// <summary>
/// What ControlNets are shown of pictures, by operations on pixels alone: no model is needed. Frames go one by one, and every result is grey frames of the
/// same size.
/// </summary>
public static class Annotator
{
    // Half of these deviations is a pencil's width at 512 pixels.
    private const double FineBlur = 0.5, WideBlur = 5, PaperBlur = 6;
    private const float ScribbleContrast = 16, LineContrast = 8, LeastContrast = 16, MiddleGrey = 127;

    /// <summary>Canny's edges: white lines one pixel wide on black, for Canny ControlNets.</summary>
    /// <param name="frames">The pictures.</param>
    /// <param name="low">Weakest change of brightness that continues an edge, |∂x| + |∂y| by Sobel of values 0…255.</param>
    /// <param name="high">Weakest one that begins an edge.</param>
    /// <exception cref="RequestException">The thresholds are negative or the wrong way round.</exception>
    public static VideoFrames Canny(VideoFrames frames, double low = 100, double high = 200)
    {
        if (!(low >= 0 && high >= low))
            throw new RequestException($"Edges between the thresholds {low} and {high} are not possible: expected 0 ≤ low ≤ high, usually 100 and 200.");
        return Each(frames, image => CannyEdges.Find(image, low, high, sigma: 1));
    }

    /// <summary>How fast the brightness changes, black to white: soft edges. The strongest of the clip is white.</summary>
    /// <param name="frames">The pictures.</param>
    public static VideoFrames SoftEdges(VideoFrames frames) => Stretched(frames, image =>
    {
        var (right, down) = image.Blur(1).Sobel();
        return GreyImage.Of(image.Height, image.Width, (y, x) => MathF.Sqrt(right[y, x] * right[y, x] + down[y, x] * down[y, x]));
    }, from: 0);

    /// <summary>Bold white strokes on black, as drawn by hand: where the picture is darker than what lies around it (a difference of Gaussians).</summary>
    /// <param name="frames">The pictures.</param>
    public static VideoFrames Scribble(VideoFrames frames) => Each(frames, image =>
    {
        var (fine, wide) = (image.Blur(FineBlur), image.Blur(WideBlur));
        return GreyImage.Of(image.Height, image.Width, (y, x) => wide[y, x] - fine[y, x] > ScribbleContrast ? 255 : 0);
    });

    /// <summary>White lines on black in the strength in which the picture is darker than what lies around it: drawings, and the dark lines of photographs.</summary>
    /// <param name="frames">The pictures.</param>
    public static VideoFrames Lineart(VideoFrames frames) => Each(frames, image =>
    {
        var paper = image.Blur(PaperBlur);
        var ink = GreyImage.Of(image.Height, image.Width, (y, x) => Math.Max(paper[y, x] - image[y, x], 0));
        float[] lines = [.. ink.Values.Where(value => value > LineContrast).Order()];
        var usual = lines.Length == 0 ? LeastContrast : Math.Max(lines[lines.Length / 2], LeastContrast);
        return GreyImage.Of(image.Height, image.Width, (y, x) => ink[y, x] / usual * MiddleGrey);
    });

    /// <summary>Brightness in the place of depth, bright is near: for pictures that were drawn so, and as the roughest of guesses. Black to white over the clip.</summary>
    /// <param name="frames">The pictures.</param>
    public static VideoFrames Luminance(VideoFrames frames) => Stretched(frames, image => image, from: null);

    private static VideoFrames Each(VideoFrames frames, Func<GreyImage, GreyImage> annotate)
    {
        var annotated = new VideoFramesBuilder(frames.Frames, frames.AreInFile);
        foreach (var image in Images(frames))
            annotated.Append(annotate(image).ToPixels(), frames.Height, frames.Width);
        return annotated.Build();
    }

    private static IEnumerable<GreyImage> Images(VideoFrames frames) => Enumerable.Range(0, frames.Frames).Select(frame => GreyImage.Luma(frames, frame));

    /// <summary>
    /// Brings <paramref name="from"/>, or the lowest value where it is null, to black and the highest value to white; a clip of one value is black. Images are made
    /// twice, first for their range: a clip can have more of them than memory.
    /// </summary>
    private static VideoFrames Stretched(VideoFrames frames, Func<GreyImage, GreyImage> annotate, float? from)
    {
        var (lowest, highest) = (float.PositiveInfinity, float.NegativeInfinity);
        foreach (var values in Images(frames).Select(image => annotate(image).Values))
            (lowest, highest) = (Math.Min(lowest, values.Min()), Math.Max(highest, values.Max()));
        var black = from ?? lowest;
        var range = highest - black;
        return Each(frames, image =>
        {
            var values = annotate(image);
            return GreyImage.Of(image.Height, image.Width, (y, x) => range > 0 ? (values[y, x] - black) / range * 255 : 0);
        });
    }
}
