using System.Buffers.Binary;
using ImageMagick;

namespace AnimateDiff.Video;

/// <summary>PNG frames and animated PNG, both lossless, each with the recipe in a text chunk.</summary>
internal static class PngWriter
{
    /// <summary>Every frame as a PNG of its own, in order.</summary>
    public static IEnumerable<byte[]> Stills(EncodeJob job) => FramePictures.Encode(job, Compress).Select(png =>
    {
        using var still = new MemoryStream(png.Length + job.Recipe.Length);
        PngChunks.WriteSignature(still);
        foreach (var chunk in Essential(png))
        {
            PngChunks.Write(still, chunk.Type, chunk.Data);
            if (chunk.Type == "IHDR" && job.Recipe.Length > 0)
                PngChunks.WriteText(still, job.Recipe);
        }
        PngChunks.Write(still, "IEND", []);
        return still.ToArray();
    });

    /// <summary>
    /// One animated PNG that loops for ever: the first frame is the still picture that other programs show, the others follow as <c>fdAT</c> chunks.
    /// </summary>
    public static void WriteAnimation(Stream stream, EncodeJob job)
    {
        var (numerator, denominator) = Delay(job.Fps);
        var sequence = 0;
        var frame = 0;
        PngChunks.WriteSignature(stream);
        foreach (var png in FramePictures.Encode(job, Compress))
        {
            foreach (var chunk in Essential(png))
            {
                if (chunk.Type == "IHDR" && frame == 0)
                {
                    PngChunks.Write(stream, "IHDR", chunk.Data);
                    PngChunks.Write(stream, "acTL", [.. BigEndian(job.Frames.Frames), .. BigEndian(0)]);
                }
                if (chunk.Type == "IHDR")
                    PngChunks.Write(stream, "fcTL",
                    [
                        .. BigEndian(sequence++), .. BigEndian(job.Frames.Width), .. BigEndian(job.Frames.Height), .. BigEndian(0), .. BigEndian(0),
                        .. BigEndian(numerator << 16 | denominator), 0, 0,              // delay as a fraction of a second; replace what was there
                    ]);
                else if (frame == 0)
                    PngChunks.Write(stream, "IDAT", chunk.Data);
                else
                    PngChunks.Write(stream, "fdAT", [.. BigEndian(sequence++), .. chunk.Data]);
            }
            frame++;
        }
        PngChunks.WriteText(stream, job.Recipe);                                // last: ffmpeg takes a file for a still where a long chunk precedes the first frame
        PngChunks.Write(stream, "IEND", []);
    }

    // Png24: always three channels, even for a grey frame, because the frames of an animation share one header.
    private static byte[] Compress(MagickImage image) => image.ToByteArray(MagickFormat.Png24);

    /// <summary>Header and pixels only: ImageMagick adds the time of writing, which would make equal frames unequal files.</summary>
    private static IEnumerable<PngChunk> Essential(byte[] png) => PngChunks.Read(new MemoryStream(png), "IHDR", "IDAT");

    /// <summary>1/fps as a fraction of two 16-bit numbers, exact for rates with up to three decimals where they fit.</summary>
    internal static (int Numerator, int Denominator) Delay(double fps)
    {
        var numerator = new[] { 1, 10, 100, 1000 }.Where(scale => fps * scale <= ushort.MaxValue)
            .MinBy(scale => (Math.Round(Math.Abs(fps - Math.Round(fps * scale) / scale), 9), scale));
        return (numerator, Math.Max(1, (int)Math.Round(fps * numerator)));
    }

    private static byte[] BigEndian(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }
}
