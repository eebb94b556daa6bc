using System.Buffers.Binary;

namespace AnimateDiff.Video;

/// <summary>A comment or a picture of a GIF file.</summary>
/// <param name="Palette">A picture's colours, 3 bytes each (2, 4, … 256 of them); empty for a comment.</param>
/// <param name="Data">A picture's compressed data as stored (code size and sub-blocks), or a comment's bytes without the sub-blocks.</param>
internal sealed record GifBlock(byte[] Palette, byte[] Data)
{
    public bool IsComment => Palette.Length == 0;
}

/// <summary>The block structure of GIF89a (W3C, "Graphics Interchange Format, Version 89a", 1990).</summary>
internal static class GifBlocks
{
    private const byte Extension = 0x21, Picture = 0x2C, Trailer = 0x3B, CommentLabel = 0xFE;

    /// <summary>Comments and pictures in file order, from a stream at the start of a GIF.</summary>
    /// <exception cref="InvalidDataException">The blocks do not fit together.</exception>
    public static IEnumerable<GifBlock> Read(Stream stream)
    {
        using var reader = new BinaryReader(stream, System.Text.Encoding.Latin1, leaveOpen: true);
        var header = reader.ReadBytes(13);
        if (header.Length < 13)
            throw new InvalidDataException("The header of the GIF ends early.");
        var global = ReadPalette(reader, header[10]);
        while (true)
        {
            switch (reader.ReadByte())
            {
                case Extension:
                    var label = reader.ReadByte();
                    var content = Join(ReadSubBlocks(reader));
                    if (label == CommentLabel)
                        yield return new GifBlock([], content);
                    break;
                case Picture:
                    var descriptor = reader.ReadBytes(9);
                    if (descriptor.Length < 9)
                        throw new InvalidDataException("A picture of the GIF ends early.");
                    var local = ReadPalette(reader, descriptor[8]);
                    var codeSize = reader.ReadByte();
                    yield return new GifBlock(local.Length > 0 ? local : global, [codeSize, .. ReadSubBlocks(reader)]);
                    break;
                case Trailer:
                    yield break;
                default:
                    throw new InvalidDataException("The GIF has a block of no known kind.");
            }
        }
    }

    /// <summary>What precedes the first picture: size, no global palette, loop for ever, the comment.</summary>
    public static void WriteHeader(Stream stream, int width, int height, ReadOnlySpan<byte> comment)
    {
        stream.Write("GIF89a"u8);
        WriteSize(stream, width, height);
        stream.Write([0x70, 0, 0]);                                                      // 8 bits per colour, no global palette
        stream.Write([Extension, 0xFF, 11, .. "NETSCAPE2.0"u8, 3, 1, 0, 0, 0]);          // 0 repetitions: for ever
        stream.Write([Extension, CommentLabel]);
        for (; comment.Length > 0; comment = comment[Math.Min(255, comment.Length)..])
        {
            var length = Math.Min(255, comment.Length);
            stream.WriteByte((byte)length);
            stream.Write(comment[..length]);
        }
        stream.WriteByte(0);
    }

    /// <summary>One picture over the whole canvas, with its own palette.</summary>
    public static void WritePicture(Stream stream, int width, int height, int hundredths, GifBlock picture)
    {
        var bits = int.Log2(picture.Palette.Length / 3);
        stream.Write([Extension, 0xF9, 4, 0x04, (byte)hundredths, (byte)(hundredths >> 8), 0, 0]);   // left in place until the next one covers it
        stream.Write([Picture, 0, 0, 0, 0]);
        WriteSize(stream, width, height);
        stream.WriteByte((byte)(0x80 | (bits - 1)));
        stream.Write(picture.Palette);
        stream.Write(picture.Data);
    }

    public static void WriteTrailer(Stream stream) => stream.WriteByte(Trailer);

    private static void WriteSize(Stream stream, int width, int height)
    {
        Span<byte> size = stackalloc byte[4];
        BinaryPrimitives.WriteUInt16LittleEndian(size, checked((ushort)width));
        BinaryPrimitives.WriteUInt16LittleEndian(size[2..], checked((ushort)height));
        stream.Write(size);
    }

    private static byte[] ReadPalette(BinaryReader reader, byte flags)
        => (flags & 0x80) == 0 ? [] : reader.ReadBytes(3 << ((flags & 7) + 1));

    private static byte[] ReadSubBlocks(BinaryReader reader)
    {
        using var blocks = new MemoryStream();
        byte length;
        do
        {
            length = reader.ReadByte();
            blocks.WriteByte(length);
            blocks.Write(reader.ReadBytes(length));
        }
        while (length > 0);
        return blocks.ToArray();
    }

    private static byte[] Join(byte[] subBlocks)
    {
        using var joined = new MemoryStream(subBlocks.Length);
        for (var at = 0; at < subBlocks.Length && subBlocks[at] > 0; at += subBlocks[at] + 1)
            joined.Write(subBlocks.AsSpan(at + 1, Math.Min(subBlocks[at], subBlocks.Length - at - 1)));
        return joined.ToArray();
    }
}
