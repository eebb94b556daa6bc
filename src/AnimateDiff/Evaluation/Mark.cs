using AnimateDiff.Video;
using ImageMagick;

namespace AnimateDiff.Evaluation;

/// <summary>A mark that lies over clips, as the part of a picture that is looked at for it.</summary>
/// <param name="Left">Column of the clip at which the part begins.</param>
/// <param name="Top">Its row.</param>
/// <param name="Unit">The length, in pixels, of which blurs and neighbourhoods are multiples: about that of a thin stroke.</param>
/// <param name="Alpha">How opaque it is, 0…1, over the part.</param>
/// <param name="Colours">Its red, green and blue, 0…255, over the part.</param>
internal sealed record Mark(int Left, int Top, double Unit, Plane Alpha, IReadOnlyList<Plane> Colours)
{
    private const double Sides = 64;                                        // units in the shorter side
    private const double Around = 9;                                        // units around the mark that tell the background
    private const double Skew = 0.02;

    /// <summary>Reads a mark from a PNG of the whole frame that is transparent but for the mark, scaled to a clip's size.</summary>
    /// <param name="path">The picture.</param>
    /// <param name="width">Width of the clip in pixels.</param>
    /// <param name="height">Its height.</param>
    /// <exception cref="FileException">It is missing, no PNG, has another shape than the clip, or no transparent part, or nothing else.</exception>
    public static Mark Read(string path, int width, int height)
    {
        if (!File.Exists(path))
            throw new FileException(path, $"'{path}' does not exist; a watermark is a PNG of the whole frame, transparent but for the mark.");
        try
        {
            if (FileKinds.Of(path) != FileKind.Png)
                throw new FileException(path, $"'{path}' is no PNG; a watermark is a PNG of the whole frame, transparent but for the mark.");
            using var stream = File.OpenRead(path);
            using var image = new MagickImage(stream, new MagickReadSettings { Format = MagickFormat.Png });
            if (Math.Abs((double)image.Width * height / ((double)image.Height * width) - 1) > Skew)
                throw new FileException(path, $"'{path}' has {image.Width}×{image.Height} pixels, which is not the shape of a clip of {width}×{height}; "
                    + "give a picture of the whole frame, so that it says where the mark is.");
            if (!image.HasAlpha)
                throw new FileException(path, $"'{path}' has no transparent part, so everything in it would be the mark; make all but the mark transparent.");
            image.ColorSpace = ColorSpace.sRGB;
            image.FilterType = image.Width > width ? FilterType.Box : FilterType.Triangle;                  // neither draws edges that were not there
            if ((image.Width, image.Height) != ((uint)width, (uint)height))
                image.Resize(new MagickGeometry((uint)width, (uint)height) { IgnoreAspectRatio = true });
            using var pixels = image.GetPixels();
            return Of(pixels.ToByteArray(PixelMapping.RGBA)!, width, height)
                ?? throw new FileException(path, $"'{path}' is transparent everywhere, or nowhere; a watermark is a PNG of the whole frame, transparent but for the mark.");
        }
        catch (Exception error) when (error is IOException or InvalidDataException or UnauthorizedAccessException or MagickException)
        {
            throw new FileException(path, $"'{path}' cannot be read ({error.Message.TrimEnd('.')}); it is damaged or no picture.", error);
        }
    }

    /// <summary>The mark of a picture <c>[H, W, RGBA]</c>; null where all or nothing of it is transparent.</summary>
    public static Mark? Of(byte[] pixels, int width, int height)
    {
        int[] covered = [.. Enumerable.Range(0, width * height).Where(at => pixels[at * 4 + 3] > 0)];
        if (covered.Length == 0 || covered.Length == width * height)
            return null;
        var unit = Math.Min(width, height) / Sides;
        var margin = (int)Math.Ceiling(Around * unit);
        var (left, right) = (Math.Max(0, covered.Min(at => at % width) - margin), Math.Min(width, covered.Max(at => at % width) + margin + 1));
        var (top, bottom) = (Math.Max(0, covered.Min(at => at / width) - margin), Math.Min(height, covered.Max(at => at / width) + margin + 1));
        return new Mark(left, top, unit, Part(3, 255), [Part(0, 1), Part(1, 1), Part(2, 1)]);

        Plane Part(int channel, float full)
        {
            var part = new Plane(right - left, bottom - top);
            for (var y = 0; y < part.Height; y++)
                for (var x = 0; x < part.Width; x++)
                    part[x, y] = pixels[((top + y) * width + left + x) * 4 + channel] / full;
            return part;
        }
    }
}
