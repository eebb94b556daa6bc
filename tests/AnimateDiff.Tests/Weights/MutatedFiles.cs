using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace AnimateDiff.Tests.Weights;

/// <summary>A damaged or hostile weight file.</summary>
/// <param name="Name">What was done to it; also its file name.</param>
/// <param name="Bytes">The file.</param>
/// <param name="Named">What the refusal has to name, or null for anything.</param>
internal sealed record MutatedFile(string Name, byte[] Bytes, string? Named = null);

/// <summary>Weight files that no loader may accept, fall over, hang on, or run: the same ones on every run.</summary>
internal static class MutatedFiles
{
    private static readonly byte[] Data = PickleWriter.Floats([.. Enumerable.Range(0, 64)]);
    private static readonly byte[] GoodPickle = new PickleWriter().Dict(
        ("first", w => w.Tensor("FloatStorage", "0", 64, 0, [8, 8], [8, 1])),
        ("second", w => w.Tensor("FloatStorage", "1", 64, 0, [64], [1]))).Stop().ToArray();
    private static readonly byte[] LegacyPickle = new PickleWriter().Dict(
        ("first", w => w.Tensor("FloatStorage", "0", 64, 0, [8, 8], [8, 1], legacy: true))).Stop().ToArray();

    public static readonly byte[] GoodSafetensors = Safetensors(
        """{"__metadata__":{"format":"pt"},"first":{"dtype":"F32","shape":[8,8],"data_offsets":[0,256]},"second":{"dtype":"F32","shape":[64],"data_offsets":[256,512]}}""", [.. Data, .. Data]);
    public static readonly byte[] GoodZip = PickleWriter.Zip(GoodPickle, [("0", Data), ("1", Data)]);
    public static readonly byte[] GoodDeflated = PickleWriter.Zip(GoodPickle, [("0", Data), ("1", Data)], CompressionLevel.Optimal);
    public static readonly byte[] GoodLegacy = PickleWriter.Legacy(LegacyPickle, [("0", 64, Data)]);

    /// <summary>All of them. Those that would run something would create <paramref name="marker"/>, which nothing else does.</summary>
    public static IEnumerable<MutatedFile> All(string marker) =>
    [
        .. Truncated("safetensors", GoodSafetensors), .. Truncated("zip", GoodZip), .. Truncated("legacy", GoodLegacy),
        .. FlippedSafetensors(), .. FlippedZip(), .. SafetensorsHeaders(), .. HostilePickles.All(marker, Data), .. Archives(), .. Texts(),
    ];

    /// <summary>Single flipped bits anywhere: some damage the structure, some only a number or a name, which no format here can tell.</summary>
    public static IEnumerable<MutatedFile> FlippedAnywhere(int count)
    {
        var random = new Random(5);
        byte[][] files = [GoodSafetensors, GoodZip, GoodDeflated, GoodLegacy];
        for (var i = 0; i < count; i++)
        {
            var file = files[i % files.Length];
            yield return Flip($"anywhere-{i}", file, random.Next(file.Length), random.Next(8));
        }
    }

    public static byte[] Safetensors(string header, ReadOnlySpan<byte> data) => Safetensors((ulong)Encoding.UTF8.GetByteCount(header), Encoding.UTF8.GetBytes(header), data);

    private static byte[] Safetensors(ulong length, byte[] header, ReadOnlySpan<byte> data)
    {
        var prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, length);
        return [.. prefix, .. header, .. data];
    }

    private static MutatedFile Flip(string name, byte[] file, int position, int bit)
    {
        byte[] copy = [.. file];
        copy[position] ^= (byte)(1 << bit);
        return new($"{name}-byte{position}-bit{bit}", copy);
    }

    private static IEnumerable<MutatedFile> Truncated(string kind, byte[] file)
    {
        var random = new Random(1);
        foreach (var length in Enumerable.Range(0, 10).Concat(Enumerable.Range(0, 30).Select(_ => random.Next(10, file.Length))).Append(file.Length - 1))
            yield return new($"{kind}-cut-to-{length}", file[..length]);
    }

    private static IEnumerable<MutatedFile> FlippedSafetensors()
    {
        var random = new Random(2);
        var header = Encoding.UTF8.GetString(GoodSafetensors.AsSpan(8..^512));
        for (var bit = 0; bit < 64; bit++)
            yield return Flip("safetensors-length", GoodSafetensors, bit / 8, bit % 8);
        // Whatever is neither a name nor metadata: brackets, quotes, keys, types and numbers.
        int[] structure = [.. Enumerable.Range(header.IndexOf(":{\"dtype"), header.IndexOf("second") - header.IndexOf(":{\"dtype")), .. Enumerable.Range(header.LastIndexOf(":{\"dtype"), header.Length - header.LastIndexOf(":{\"dtype"))];
        for (var i = 0; i < 40; i++)
            yield return Flip($"safetensors-header-{i}", GoodSafetensors, 8 + structure[random.Next(structure.Length)], random.Next(8));
    }

    private static IEnumerable<MutatedFile> FlippedZip()
    {
        var random = new Random(3);
        var end = GoodZip.Length - 22;
        foreach (var position in Enumerable.Range(0, 4).Concat(Enumerable.Range(10, 12)))
            yield return Flip("zip-end", GoodZip, end + position, random.Next(8));
        // Of each entry of the directory: signature, method, sizes, lengths, position, name. Times, checksums and attributes are not looked at.
        var directory = (int)BinaryPrimitives.ReadUInt32LittleEndian(GoodZip.AsSpan(end + 16));
        var first = directory + 46 + BinaryPrimitives.ReadUInt16LittleEndian(GoodZip.AsSpan(directory + 28));
        for (var entry = first; entry < end; entry += 46 + BinaryPrimitives.ReadUInt16LittleEndian(GoodZip.AsSpan(entry + 28)))
            foreach (var position in new[] { 0, 1, 2, 3, 10, 20, 21, 22, 24, 25, 28, 30, 32, 42, 43, 46, 52, 53 })
                yield return Flip("zip-entry", GoodZip, entry + position, random.Next(8));
    }

    private static IEnumerable<MutatedFile> SafetensorsHeaders()
    {
        static string Entry(string name, string dtype, string shape, string offsets) => "{\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}";
        string[] headers =
        [
            "", "{", "}", "[]", "null", "{}", "{}{}", "{} x", "\"text\"", "{\"a\":1}", "{\"a\":null}", "{\"a\":[]}", "{\"a\":{}}", "{\"__metadata__\":{}}", "{\"__metadata__\":[]}", "{\"__metadata__\":{\"a\":{}}}",
            Entry("a", "F32", "[2]", "[0,8]") + ",", Entry("a", "F32", "[2]", "[0,8]").Replace("[2]", "[2,]"), Entry("a", "F32", "[2]", "[8,0]"), Entry("a", "F32", "[2]", "[-8,0]"), Entry("a", "F32", "[2]", "[0,8,8]"),
            Entry("a", "F32", "[2]", "[0]"), Entry("a", "F32", "[2]", "[]"), Entry("a", "F32", "[2]", "{}"), Entry("a", "F32", "2", "[0,8]"), Entry("a", "F32", "[2.5]", "[0,8]"), Entry("a", "F32", "[2e0]", "[0,8]"),
            Entry("a", "F32", "[\"2\"]", "[0,8]"), Entry("a", "F32", "[[2]]", "[0,8]"), Entry("a", "F32", "[18446744073709551618]", "[0,8]"), Entry("a", "F32", "[4294967296,4294967296]", "[0,8]"),
            Entry("a", "F32", "[4611686018427387904,4,2]", "[0,8]"), Entry("a", "F32", "[-1,-2]", "[0,8]"), Entry("a", "F32", "[0,9223372036854775807,2]", "[0,8]"), Entry("a", "F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]"),
            Entry("a", "F32", "[2]", "[0,9223372036854775807]"), Entry("a", "F32", "[2]", "[9223372036854775800,9223372036854775807]"), Entry("a", "f32", "[2]", "[0,8]"), Entry("a", "", "[2]", "[0,8]"), Entry("a", "F32x", "[2]", "[0,8]"),
            Entry("a", "F32", "[1]", "[0,4]")[..^1] + "," + Entry("b", "F32", "[1]", "[0,4]")[1..], Entry("a", "F32", "[2]", "[0,8]")[..^1] + "," + Entry("b", "F32", "[1]", "[4,8]")[1..],
            Entry("a", "F32", "[2]", "[0,8]")[..^1] + "," + Entry("a", "F32", "[2]", "[0,8]")[1..], Entry("a", "F32", "[2]", "[0,8]").Replace("\"shape\"", "\"dtype\":\"F32\",\"shape\""),
            "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}," + Entry("a", "F32", "[2]", "[0,8]")[1..], "{\"a\":" + new string('[', 100_000) + new string(']', 100_000) + "}", string.Concat(Enumerable.Repeat("{\"a\":", 100_000)),
            Entry("\\ud800", "F32", "[2]", "[0,8]"), Entry("a\u0001", "F32", "[2]", "[0,8]"), " " + Entry("a", "F32", "[2]", "[0,8]"), "/**/" + Entry("a", "F32", "[2]", "[0,8]"),
        ];
        for (var i = 0; i < headers.Length; i++)
            yield return new($"safetensors-written-{i}.safetensors", Safetensors(headers[i], new byte[8]));
        byte[] notUtf8 = [.. "{\"\xc3\x28"u8, .. Encoding.UTF8.GetBytes(Entry("a", "F32", "[2]", "[0,8]"))[2..]];
        notUtf8[2] = 0xff;
        yield return new("safetensors-not-utf8.safetensors", Safetensors((ulong)notUtf8.Length, notUtf8, new byte[8]));
        foreach (var length in new ulong[] { 0, 1, 100_000_001, int.MaxValue, uint.MaxValue, long.MaxValue, ulong.MaxValue, ulong.MaxValue - 7 })
            yield return new($"safetensors-length-{length}.safetensors", Safetensors(length, "{}"u8.ToArray(), new byte[8]));
        var many = new StringBuilder("{");
        for (var i = 0; i < 150_000; i++)
            many.Append($"{(i == 0 ? "" : ",")}\"{i}\":{{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}");
        yield return new("safetensors-150000-tensors", Safetensors(many.Append('}').ToString(), []));
    }

    private static IEnumerable<MutatedFile> Archives()
    {
        yield return new("zip-without-pickle", Zip(("model/data/0", Data)));
        yield return new("zip-pickle-at-the-top", Zip(("data.pkl", GoodPickle)));
        yield return new("zip-two-pickles", Zip(("a/data.pkl", GoodPickle), ("b/data.pkl", GoodPickle)));
        yield return new("zip-same-name-twice", Zip(("model/data.pkl", GoodPickle), ("model/data.pkl", GoodPickle)));
        yield return new("zip-empty", Zip());
        yield return new("zip-without-data", PickleWriter.Zip(GoodPickle, [("0", Data)]));
        yield return new("zip-data-too-long", PickleWriter.Zip(GoodPickle, [("0", Data), ("1", [.. Data, 0])]));
        yield return new("zip-data-too-short", PickleWriter.Zip(GoodPickle, [("0", Data), ("1", Data[1..])]));
        yield return new("zip-big-endian", PickleWriter.Zip(GoodPickle, [("0", Data), ("1", Data)], byteOrder: "big"), "byte order");
        yield return new("zip-out-of-the-archive", Zip(("model/data.pkl", GoodPickle), ("model/data/../../etc/passwd", Data)), "leads out");
        yield return new("zip-absolute", Zip(("model/data.pkl", GoodPickle), ("/etc/passwd", Data)), "leads out");
        yield return new("zip-backslash", Zip(("model/data.pkl", GoodPickle), ("model\\data\\0", Data)), "leads out");
        yield return new("zip-torchscript", Zip(("model/data.pkl", GoodPickle), ("model/code/__torch__.py", Data), ("model/constants.pkl", Data)), "TorchScript");
        yield return new("zip-of-something-else", Zip(("word/document.xml", Data)));
        yield return new("zip-empty-pickle", Zip(("model/data.pkl", [])));

        // 256 MB of zeros: as the data of a tensor that says so, as a tensor that does not, and as the pickle.
        var zeros = new byte[256 << 20];
        var bomb = new PickleWriter().Dict(("a", w => w.Tensor("ByteStorage", "0", zeros.Length, 0, [zeros.Length], [1]))).Stop().ToArray();
        yield return new("zip-bomb", PickleWriter.Zip(bomb, [("0", zeros)], CompressionLevel.Optimal));
        yield return new("zip-bomb-undeclared", PickleWriter.Zip(GoodPickle, [("0", zeros), ("1", Data)], CompressionLevel.Optimal));
        yield return new("zip-bomb-pickle", PickleWriter.Zip(zeros, [], CompressionLevel.Optimal));
        // The directory says 256 bytes, the stream has others.
        yield return new("zip-inflates-to-less", Deflated(Data[..200]));
        yield return new("zip-no-deflate-stream", Deflated(null));

        static byte[] Zip(params (string Name, byte[] Data)[] entries)
        {
            var bytes = new MemoryStream();
            using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
                foreach (var (name, data) in entries)
                {
                    using var entry = archive.CreateEntry(name, CompressionLevel.NoCompression).Open();
                    entry.Write(data);
                }
            return bytes.ToArray();
        }

        // An archive of compressed entries in which the size of the last one is set to 256, and its stream perhaps broken.
        static byte[] Deflated(byte[]? last)
        {
            var file = PickleWriter.Zip(GoodPickle, [("0", Data), ("1", last ?? Data)], CompressionLevel.Optimal);
            var entry = file.AsSpan().LastIndexOf("PK\x1\x2"u8);
            BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(entry + 24), Data.Length);
            if (last is null)
            {
                var start = BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(entry + 42)) + 30 + "model/data/1".Length;
                file.AsSpan(start, 8).Fill(0xff);
            }
            return file;
        }
    }

    private static IEnumerable<MutatedFile> Texts()
    {
        yield return new("empty.ckpt", []);
        yield return new("pointer.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 1\n"u8.ToArray(), "git-lfs");
        yield return new("page.ckpt", "<!DOCTYPE html><html><body>Sign in</body></html>"u8.ToArray(), "web page");
        yield return new("error.safetensors", "{\"error\":\"Invalid username or password.\"}"u8.ToArray(), "JSON");
        yield return new("noise.ckpt", [.. Enumerable.Range(0, 5000).Select(i => (byte)(i * 7919 >> 3))]);
        yield return new("zeros.safetensors", new byte[5000]);
        yield return new("ones.safetensors", [.. Enumerable.Repeat((byte)255, 5000)]);
        yield return new("pickle-of-no-torch.pkl", new PickleWriter().Dict(("a", w => w.Op('N'))).Stop().ToArray(), "torch.save did not write");
    }
}
