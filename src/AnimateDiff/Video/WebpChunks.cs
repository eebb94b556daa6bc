using System.Text;

namespace AnimateDiff.Video;

/// <summary>A chunk of a WebP file.</summary>
/// <param name="Type">Four letters.</param>
/// <param name="Data">Its first bytes, as many as were asked for.</param>
internal readonly record struct WebpChunk(string Type, byte[] Data);

/// <summary>Reads the chunks of WebP files (Google, "WebP Container Specification").</summary>
internal static class WebpChunks
{
    private const int FrameHeader = 16;

    /// <summary>The recipe in the XMP chunk, from a seekable stream, or null.</summary>
    public static string? ReadRecipe(Stream stream) => Read(stream, "XMP ", int.MaxValue).Select(chunk => XmpRecipe.FromPacket(chunk.Data)).FirstOrDefault();

    /// <summary>How long each frame of an animation is shown, in seconds; empty for a still picture. ImageMagick rounds these to hundredths.</summary>
    public static List<double> ReadDurations(Stream stream)
        => [.. Read(stream, "ANMF", FrameHeader).Select(frame => (frame.Data[12] | frame.Data[13] << 8 | frame.Data[14] << 16) / 1000.0)];

    /// <summary>The chunks of one type, each up to a length.</summary>
    /// <exception cref="InvalidDataException">The chunks do not fit together.</exception>
    private static IEnumerable<WebpChunk> Read(Stream stream, string type, int length)
    {
        using var reader = new BinaryReader(stream, Encoding.Latin1, leaveOpen: true);
        stream.Seek(12, SeekOrigin.Begin);
        while (stream.Position + 8 <= stream.Length)
        {
            var found = Encoding.Latin1.GetString(reader.ReadBytes(4));
            var size = reader.ReadUInt32();
            var next = stream.Position + size + size % 2;
            if (stream.Position + size > stream.Length || (type == "ANMF" && found == type && size < FrameHeader))
                throw new InvalidDataException($"Chunk '{found}' of the WebP is longer than the file.");
            if (found == type)
                yield return new WebpChunk(found, reader.ReadBytes((int)Math.Min(size, length)));
            stream.Seek(next, SeekOrigin.Begin);
        }
    }
}
