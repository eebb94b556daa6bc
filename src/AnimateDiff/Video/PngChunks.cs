using System.Buffers.Binary;
using System.Text;

namespace AnimateDiff.Video;

/// <summary>A chunk of a PNG file.</summary>
internal readonly record struct PngChunk(string Type, byte[] Data);

/// <summary>The chunk structure of PNG (W3C, "Portable Network Graphics", third edition, 2025) and its text chunk.</summary>
internal static class PngChunks
{
    /// <summary>Keyword of the text chunk that holds the recipe.</summary>
    public const string Keyword = "animatediff";

    private const int LargestText = 64 << 20;
    private static readonly uint[] CrcTable = [.. Enumerable.Range(0, 256).Select(CrcOfByte)];

    private static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>The chunks of the wanted types in file order, from a seekable stream at the start of a PNG; the others are not read.</summary>
    /// <exception cref="InvalidDataException">The chunks do not fit together.</exception>
    public static IEnumerable<PngChunk> Read(Stream stream, params string[] types)
    {
        stream.Seek(Signature.Length, SeekOrigin.Current);
        var head = new byte[8];
        string type;
        do
        {
            stream.ReadExactly(head);
            var length = BinaryPrimitives.ReadUInt32BigEndian(head);
            type = Encoding.Latin1.GetString(head, 4, 4);
            if (length > stream.Length - stream.Position)
                throw new InvalidDataException($"Chunk {type} of the PNG is longer than the file.");
            if (types.Contains(type) && length <= LargestText)
            {
                var data = new byte[length];
                stream.ReadExactly(data);
                yield return new PngChunk(type, data);
                length = 0;
            }
            stream.Seek(length + 4, SeekOrigin.Current);
        }
        while (type != "IEND");
    }

    public static void WriteSignature(Stream stream) => stream.Write(Signature);

    /// <summary>Writes one chunk: length, type, data, CRC-32 of type and data.</summary>
    public static void Write(Stream stream, string type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        Span<byte> name = stackalloc byte[4];
        Encoding.Latin1.GetBytes(type, name);
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        stream.Write(number);
        stream.Write(name);
        stream.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Crc(Crc(uint.MaxValue, name), data));
        stream.Write(number);
    }

    /// <summary>An <c>iTXt</c> chunk: our keyword, uncompressed, no language, UTF-8.</summary>
    public static void WriteText(Stream stream, string text)
        => Write(stream, "iTXt", [.. Encoding.Latin1.GetBytes(Keyword), 0, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(text)]);

    /// <summary>The text of our <c>iTXt</c> chunk, or null.</summary>
    public static string? ReadText(Stream stream)
    {
        var prefix = (byte[])[.. Encoding.Latin1.GetBytes(Keyword), 0, 0, 0, 0, 0];
        foreach (var chunk in Read(stream, "iTXt"))
            if (chunk.Data.AsSpan().StartsWith(prefix))
                return Encoding.UTF8.GetString(chunk.Data.AsSpan(prefix.Length));
        return null;
    }

    private static uint Crc(uint crc, ReadOnlySpan<byte> data)
    {
        foreach (var value in data)
            crc = CrcTable[(byte)(crc ^ value)] ^ (crc >> 8);
        return crc;
    }

    private static uint CrcOfByte(int value)
    {
        var crc = (uint)value;
        for (var bit = 0; bit < 8; bit++)
            crc = (crc & 1) == 0 ? crc >> 1 : 0xEDB88320 ^ (crc >> 1);
        return crc;
    }
}
