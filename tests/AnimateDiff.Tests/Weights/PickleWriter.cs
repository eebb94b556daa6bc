using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace AnimateDiff.Tests.Weights;

/// <summary>Writes pickles opcode by opcode, well-meant and hostile ones, and the files of torch.save around them.</summary>
internal sealed class PickleWriter
{
    private readonly MemoryStream _bytes = new();

    public PickleWriter(byte protocol = 2) => Op(0x80).Raw(protocol);

    public byte[] ToArray() => _bytes.ToArray();

    public PickleWriter Raw(params ReadOnlySpan<byte> bytes)
    {
        _bytes.Write(bytes);
        return this;
    }

    public PickleWriter Op(int opcode) => Raw((byte)opcode);

    public PickleWriter Op(char opcode) => Raw((byte)opcode);

    public PickleWriter Global(string module, string name) => Op('c').Raw(Encoding.UTF8.GetBytes($"{module}\n{name}\n"));

    public PickleWriter Text(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return Op('X').UInt32((uint)bytes.Length).Raw(bytes);
    }

    public PickleWriter Number(long value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return Op(0x8a).Raw(8).Raw(bytes);
    }

    public PickleWriter UInt32(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return Raw(bytes);
    }

    public PickleWriter UInt64(ulong value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return Raw(bytes);
    }

    public PickleWriter Tuple(params long[] values)
    {
        Op('(');
        foreach (var value in values)
            Number(value);
        return Op('t');
    }

    /// <summary>('storage', torch.TYPE, 'KEY', 'cpu', COUNT) as a persistent id; <paramref name="legacy"/> appends the view, which is None.</summary>
    public PickleWriter Storage(string type, string key, long count, bool legacy = false)
    {
        Op('(').Text("storage").Global("torch", type).Text(key).Text("cpu").Number(count);
        if (legacy)
            Op('N');
        return Op('t').Op('Q');
    }

    public PickleWriter Tensor(string type, string key, long count, long offset, long[] shape, long[] stride, bool legacy = false)
        => Global("torch._utils", "_rebuild_tensor_v2").Op('(').Storage(type, key, count, legacy).Number(offset).Tuple(shape).Tuple(stride)
            .Op(0x89).Global("collections", "OrderedDict").Op(')').Op('R').Op('t').Op('R');

    /// <summary>A dict with one entry per pair of name and value.</summary>
    public PickleWriter Dict(params (string Name, Action<PickleWriter> Value)[] items)
    {
        Op('}').Op('(');
        foreach (var (name, value) in items)
            value(Text(name));
        return Op('u');
    }

    public PickleWriter Stop() => Op('.');

    /// <summary>The zip archive of torch.save.</summary>
    public static byte[] Zip(byte[] pickle, IEnumerable<(string Key, byte[] Data)> storages, CompressionLevel compression = CompressionLevel.NoCompression, string byteOrder = "little", string root = "model")
    {
        var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            Add("byteorder", Encoding.ASCII.GetBytes(byteOrder));
            Add("data.pkl", pickle);
            foreach (var (key, data) in storages)
                Add($"data/{key}", data);

            void Add(string name, byte[] data)
            {
                using var entry = archive.CreateEntry($"{root}/{name}", compression).Open();
                entry.Write(data);
            }
        }
        return bytes.ToArray();
    }

    /// <summary>The file of torch.save before PyTorch 1.6.</summary>
    public static byte[] Legacy(byte[] pickle, (string Key, long Count, byte[] Data)[] storages, bool littleEndian = true)
    {
        var file = new PickleWriter().Op(0x8a).Raw(10).Raw(0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19).Stop()
            .Raw(0x80, 2).Op('M').Raw(0xe9, 0x03).Stop()
            .Raw(0x80, 2).Dict(("protocol_version", w => w.Op('M').Raw(0xe9, 0x03)), ("little_endian", w => w.Op(littleEndian ? 0x88 : 0x89))).Stop()
            .Raw(pickle)
            .Raw(0x80, 2).Op(']').Op('(');
        foreach (var (key, _, _) in storages)
            file.Text(key);
        file.Op('e').Stop();
        foreach (var (_, count, data) in storages)
            file.UInt64((ulong)count).Raw(data);
        return file.ToArray();
    }

    public static byte[] Floats(params float[] values) => [.. values.SelectMany(BitConverter.GetBytes)];
}
