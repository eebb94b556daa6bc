using System.Text;
using ImageMagick;
using ImageMagick.Formats;

namespace AnimateDiff.Video;

/// <summary>Lossless animated WebP that loops for ever, the recipe as XMP (Google, "WebP Container Specification").</summary>
internal static class WebpWriter
{
    private const byte HasXmp = 0x04, HasAnimation = 0x02, DoNotBlend = 0x02;

    // Quality below 100 makes libwebp near-lossless here. Method 2 is eight times as fast as 4 and 0.2 % larger on noisy frames.
    private static readonly WebPWriteDefines Lossless = new() { Lossless = true, Method = 2 };

    public static void Write(Stream stream, EncodeJob job)
    {
        using var writer = new BinaryWriter(stream, Encoding.Latin1, leaveOpen: true);
        WriteTag(writer, "RIFF");
        writer.Write(0);                                          // size: known at the end
        WriteTag(writer, "WEBP");

        WriteTag(writer, "VP8X");
        writer.Write(10);
        writer.Write((int)(HasXmp | HasAnimation));
        WriteUInt24(writer, job.Frames.Width - 1);
        WriteUInt24(writer, job.Frames.Height - 1);

        WriteTag(writer, "ANIM");
        writer.Write(6);
        writer.Write(0);                                          // background colour: never seen
        writer.Write((short)0);                                   // repetitions: for ever

        var frame = 0;
        foreach (var picture in FramePictures.Encode(job, Compress))
        {
            var bitstream = picture.AsSpan(12);                   // the one chunk behind RIFF, size, WEBP
            WriteTag(writer, "ANMF");
            writer.Write(16 + bitstream.Length);
            WriteUInt24(writer, 0);
            WriteUInt24(writer, 0);
            WriteUInt24(writer, job.Frames.Width - 1);
            WriteUInt24(writer, job.Frames.Height - 1);
            WriteUInt24(writer, job.Duration(frame++, unitsPerSecond: 1000));
            writer.Write(DoNotBlend);
            writer.Write(bitstream);
        }

        var xmp = XmpRecipe.ToPacket(job.Recipe);
        WriteTag(writer, "XMP ");
        writer.Write(xmp.Length);
        writer.Write(xmp);
        if (xmp.Length % 2 == 1)
            writer.Write((byte)0);

        var length = stream.Length;
        writer.Seek(4, SeekOrigin.Begin);
        writer.Write(checked((uint)(length - 8)));
        writer.Seek(0, SeekOrigin.End);
    }

    private static byte[] Compress(MagickImage image)
    {
        image.Settings.SetDefines(Lossless);
        image.Quality = 100;
        return image.ToByteArray(MagickFormat.WebP);
    }

    private static void WriteTag(BinaryWriter writer, string tag) => writer.Write(Encoding.Latin1.GetBytes(tag));

    private static void WriteUInt24(BinaryWriter writer, int value)
    {
        writer.Write((ushort)value);
        writer.Write((byte)(value >> 16));
    }
}
