using System.Text;
using ImageMagick;

namespace AnimateDiff.Video;

/// <summary>
/// Animated GIF. Every frame has its own 256 colours with Floyd–Steinberg dithering: a generated frame has far more colours than that, and one palette for
/// a whole clip shows as bands in its gradients. A frame of at most 256 colours is stored exactly.
/// </summary>
internal static class GifWriter
{
    private static readonly QuantizeSettings Palette = new() { Colors = 256, DitherMethod = DitherMethod.FloydSteinberg, TreeDepth = 8 };

    public static void Write(Stream stream, EncodeJob job)
    {
        var (width, height) = (job.Frames.Width, job.Frames.Height);
        GifBlocks.WriteHeader(stream, width, height, Encoding.UTF8.GetBytes(job.Recipe));
        var frame = 0;
        foreach (var gif in FramePictures.Encode(job, Compress))
        {
            var picture = GifBlocks.Read(new MemoryStream(gif)).First(block => !block.IsComment);
            GifBlocks.WritePicture(stream, width, height, job.Duration(frame++, unitsPerSecond: 100), picture);
        }
        GifBlocks.WriteTrailer(stream);
    }

    private static byte[] Compress(MagickImage image)
    {
        image.Quantize(Palette);
        return image.ToByteArray(MagickFormat.Gif);
    }
}
