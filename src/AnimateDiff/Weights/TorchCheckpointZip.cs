using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace AnimateDiff.Weights;

/// <summary>
/// The zip archive around a PyTorch checkpoint (PKWARE APPNOTE 6.3). <see cref="ZipArchive"/> does not say where in the file an entry is, and tensors are
/// read from there.
/// </summary>
internal sealed class TorchCheckpointZip
{
    private const int MaxEntries = 200_000, MaxDirectory = 64 << 20, EndLength = 22, LocatorLength = 20;

    private readonly WeightFileBytes _file;
    private readonly Dictionary<string, Entry> _entries = [];
    private readonly long _directoryStart;

    /// <summary>An entry of the directory at the end of the archive.</summary>
    internal sealed record Entry(string Name, bool Deflated, long StoredSize, long Size, long HeaderStart);

    /// <summary>Names of the entries, in the order of the directory.</summary>
    public IEnumerable<string> Names => _entries.Keys;

    public TorchCheckpointZip(WeightFileBytes file)
    {
        _file = file;
        var (count, size, start) = FindDirectory();
        if (count > MaxEntries || size is < 0 or > MaxDirectory || start < 0 || start > file.Length - size)
            throw Damaged($"its directory of {count} entries and {size} bytes at byte {start} cannot be");
        _directoryStart = start;
        var directory = new byte[size];
        file.ReadExactly(start, directory);
        var rest = directory.AsSpan();
        while (rest.Length > 0)
            rest = ReadEntry(rest);
        if (_entries.Count != count)
            throw Damaged($"its directory has {_entries.Count} entries and should have {count}");
    }

    public Entry? Find(string name) => _entries.GetValueOrDefault(name);

    /// <summary>Position of an entry's data; its own header, before the data, must agree with the directory.</summary>
    public long DataStart(Entry entry)
    {
        var name = Encoding.UTF8.GetBytes(entry.Name);
        if (entry.HeaderStart > _directoryStart - 30 - name.Length)
            throw Damaged($"'{Show(entry.Name)}' begins within the directory");
        var header = new byte[30 + name.Length];
        _file.ReadExactly(entry.HeaderStart, header);
        if (UInt32(header, 0) != 0x04034b50 || UInt16(header, 26) != name.Length || !header.AsSpan(30).SequenceEqual(name))
            throw Damaged($"'{Show(entry.Name)}' is not where its directory says");
        var start = entry.HeaderStart + header.Length + UInt16(header, 28);
        if (entry.StoredSize > _directoryStart - start)
            throw Damaged($"'{Show(entry.Name)}' goes on into the directory");
        return start;
    }

    /// <summary>The whole of a small entry.</summary>
    public byte[] ReadAll(Entry entry, int limit)
    {
        if (entry.Size > limit)
            throw Damaged($"'{Show(entry.Name)}' has {entry.Size} bytes, more than the {limit} that it may have");
        var bytes = new byte[entry.Size];
        var start = DataStart(entry);
        if (entry.Deflated)
        {
            using var inflated = Inflate(entry, start);
            inflated.Fill(bytes);
            inflated.ExpectEnd();
        }
        else
        {
            _file.ReadExactly(start, bytes);
        }
        return bytes;
    }

    /// <summary>The unpacked bytes of a compressed entry, from its first.</summary>
    public Inflated Inflate(Entry entry, long dataStart)
        => new(new DeflateStream(new Range(_file, dataStart, entry.StoredSize), CompressionMode.Decompress), this, entry);

    public FileException Damaged(string what, Exception? inner = null)
        => new(_file.Path, $"{_file.Path} is not a whole PyTorch checkpoint: {what}; download it again, or save it as safetensors.", inner);

    private (long Count, long Size, long Start) FindDirectory()
    {
        var tail = new byte[Math.Min(_file.Length, EndLength + LocatorLength + ushort.MaxValue)];
        _file.ReadExactly(_file.Length - tail.Length, tail);
        for (var end = tail.Length - EndLength; end >= 0; end--)
        {
            if (UInt32(tail, end) != 0x06054b50 || end + EndLength + UInt16(tail, end + 20) != tail.Length)
                continue;
            if (end < LocatorLength || UInt32(tail, end - LocatorLength) != 0x07064b50)
                return (UInt16(tail, end + 10), UInt32(tail, end + 12), UInt32(tail, end + 16));
            var position = Int64(tail, end - LocatorLength + 8);
            var large = new byte[56];
            if (position < 0 || position > _file.Length - large.Length)
                throw Damaged("its zip64 directory lies outside it");
            _file.ReadExactly(position, large);
            if (UInt32(large, 0) != 0x06064b50)
                throw Damaged("its zip64 directory is not where it should be");
            return (Int64(large, 32), Int64(large, 40), Int64(large, 48));
        }
        throw Damaged("the zip directory at its end is missing, so that it was cut short");
    }

    /// <summary>Reads the first entry of <paramref name="bytes"/> and returns what follows.</summary>
    private Span<byte> ReadEntry(Span<byte> bytes)
    {
        if (bytes.Length < 46 || UInt32(bytes, 0) != 0x02014b50)
            throw Damaged("its zip directory is damaged");
        int nameLength = UInt16(bytes, 28), extraLength = UInt16(bytes, 30), length = 46 + nameLength + extraLength + UInt16(bytes, 32);
        if (bytes.Length < length)
            throw Damaged("its zip directory is cut short");
        var name = Encoding.UTF8.GetString(bytes.Slice(46, nameLength));
        long stored = UInt32(bytes, 20), size = UInt32(bytes, 24), start = UInt32(bytes, 42);
        ReadLargeSizes(bytes.Slice(46 + nameLength, extraLength), ref size, ref stored, ref start);

        int flags = UInt16(bytes, 8), method = UInt16(bytes, 10);
        if ((flags & 1) != 0)
            throw Damaged($"'{Show(name)}' is encrypted");
        if (method is not (0 or 8))
            throw Damaged($"'{Show(name)}' is compressed by method {method}, which is neither 'stored' nor 'deflate'");
        if (size < 0 || stored < 0 || start < 0 || (method == 0 && size != stored))
            throw Damaged($"'{Show(name)}' has sizes that cannot be ({stored} bytes packed, {size} unpacked, at {start})");
        if (name.StartsWith('/') || name.Contains('\\') || name.Contains('\0') || name.Split('/').Contains(".."))
            throw Damaged($"'{Show(name)}' is a name that leads out of the archive");
        if (!_entries.TryAdd(name, new Entry(name, method == 8, stored, size, start)))
            throw Damaged($"'{Show(name)}' is in it twice");
        return bytes[length..];
    }

    /// <summary>Zip64: sizes of 2³² − 1 stand for 8-byte ones in the extra field of kind 1, in this order.</summary>
    private static void ReadLargeSizes(ReadOnlySpan<byte> extra, ref long size, ref long stored, ref long start)
    {
        while (extra.Length >= 4)
        {
            int kind = UInt16(extra, 0), length = Math.Min(UInt16(extra, 2), extra.Length - 4);
            if (kind == 1)
            {
                var values = extra.Slice(4, length);
                size = Large(size, ref values);
                stored = Large(stored, ref values);
                start = Large(start, ref values);
            }
            extra = extra[(4 + length)..];
        }
    }

    private static long Large(long value, ref ReadOnlySpan<byte> values)
    {
        if (value != uint.MaxValue || values.Length < 8)
            return value;
        value = Int64(values, 0);
        values = values[8..];
        return value;
    }

    private static string Show(string text) => WeightFileBytes.Show(text);
    private static ushort UInt16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);
    private static uint UInt32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
    private static long Int64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);

    /// <summary>Unpacks an entry, never more than the directory promises.</summary>
    internal sealed class Inflated(DeflateStream stream, TorchCheckpointZip archive, Entry entry) : IDisposable
    {
        public void Fill(Span<byte> into)
        {
            try
            {
                stream.ReadExactly(into);
            }
            catch (Exception error) when (error is InvalidDataException or EndOfStreamException)
            {
                throw archive.Damaged($"'{Show(entry.Name)}' does not unpack to its {entry.Size} bytes", error);
            }
        }

        public void Skip(long count)
        {
            var buffer = new byte[1 << 16];
            for (; count > 0; count -= Math.Min(count, buffer.Length))
                Fill(buffer.AsSpan(0, (int)Math.Min(count, buffer.Length)));
        }

        public void ExpectEnd()
        {
            if (stream.ReadByte() >= 0)
                throw archive.Damaged($"'{Show(entry.Name)}' unpacks to more than its {entry.Size} bytes");
        }

        public void Dispose() => stream.Dispose();
    }

    /// <summary>The part of the file that an entry takes, as the stream that <see cref="DeflateStream"/> wants.</summary>
    private sealed class Range(WeightFileBytes file, long start, long length) : Stream
    {
        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            var count = (int)Math.Min(buffer.Length, length - Position);
            file.ReadExactly(start + Position, buffer[..count]);
            Position += count;
            return count;
        }

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => length;
        public override long Position { get; set; }
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
