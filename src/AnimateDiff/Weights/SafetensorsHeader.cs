using System.Buffers.Binary;
using System.Text.Json;

namespace AnimateDiff.Weights;

/// <summary>The JSON header of a safetensors file, checked: what it promises is there, once, without gaps.</summary>
internal sealed class SafetensorsHeader
{
    /// <summary>The limit of the reference implementation.</summary>
    public const long MaxLength = 100_000_000;

    private const int MaxEntries = 100_000, MaxRank = 16;

    /// <summary>A tensor and where its bytes are, counted from the start of the data.</summary>
    internal sealed record Entry(string Name, ScalarType DType, long[] Shape, long Start, long End);

    private readonly string _path;
    private readonly long _dataLength;

    public List<Entry> Tensors { get; } = [];

    public Dictionary<string, string> Metadata { get; } = [];

    /// <summary>Position of the data in the file.</summary>
    public long DataStart { get; }

    public static SafetensorsHeader Read(WeightFileBytes file) => new(file);

    private SafetensorsHeader(WeightFileBytes file)
    {
        _path = file.Path;
        if (file.Length < 8)
            throw Damaged($"it has {file.Length} bytes, fewer than the 8 of the header's length");
        Span<byte> prefix = stackalloc byte[8];
        file.ReadExactly(0, prefix);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaxLength)
            throw Damaged($"its first 8 bytes promise a header of {length} bytes, more than the {MaxLength} the format allows");
        if ((long)length > file.Length - 8)
            throw Damaged($"its header should have {length} bytes and the file ends {file.Length - 8} bytes after the header's length");
        DataStart = 8 + (long)length;
        _dataLength = file.Length - DataStart;

        var json = new byte[length];
        file.ReadExactly(8, json);
        if (json is not [(byte)'{', ..])
            throw Damaged("its header does not begin with '{'");
        try
        {
            Parse(json);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw Damaged($"its header is not the JSON of the format ({error.Message.TrimEnd('.')})", error);
        }
        CheckCoverage();
    }

    private void Parse(byte[] json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
        var seen = new HashSet<string>();
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            if (!seen.Add(name))
                throw Damaged($"its header names '{Show(name)}' twice");
            if (seen.Count > MaxEntries)
                throw Damaged($"its header lists more than {MaxEntries} tensors");
            if (name == "__metadata__")
                ReadMetadata(ref reader);
            else
                Tensors.Add(ReadEntry(ref reader, name));
        }
        if (reader.Read())
            throw Damaged("its header goes on after the closing '}'");
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.StartObject, "__metadata__");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            Expect(ref reader, JsonTokenType.String, $"__metadata__.{key}");
            if (!Metadata.TryAdd(key, reader.GetString()!))
                throw Damaged($"its metadata names '{Show(key)}' twice");
            if (Metadata.Count > MaxEntries)
                throw Damaged($"its metadata has more than {MaxEntries} entries");
        }
    }

    private Entry ReadEntry(ref Utf8JsonReader reader, string name)
    {
        string? dtype = null;
        long[]? shape = null, offsets = null;
        Expect(ref reader, JsonTokenType.StartObject, name);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString();
            switch (key)
            {
                case "dtype" when dtype is null:
                    Expect(ref reader, JsonTokenType.String, $"{name}.dtype");
                    dtype = reader.GetString();
                    break;
                case "shape" when shape is null:
                    shape = ReadNumbers(ref reader, $"{name}.shape");
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadNumbers(ref reader, $"{name}.data_offsets");
                    break;
                default:
                    throw Damaged($"'{Show(name)}' has an unknown or repeated entry '{Show(key!)}' beside dtype, shape and data_offsets");
            }
        }
        if (dtype is null || shape is null || offsets is not [var start, var end])
            throw Damaged($"'{Show(name)}' lacks its dtype, its shape or its two data_offsets");
        if (WeightTypes.FindSafetensors(dtype) is not { } type)
            throw new FileException(_path, $"{_path} holds '{Show(name)}' as {Show(dtype)}, a type that is not supported; save it as F16, BF16 or F32.");
        if (start < 0 || end < start || end > _dataLength)
            throw Damaged($"'{Show(name)}' has the data_offsets [{start}, {end}], and there are {_dataLength} bytes of data");
        if (WeightTypes.ElementCount(shape) is not { } count || (Int128)count * type.Size != end - start)
            throw Damaged($"'{Show(name)}' has {end - start} bytes, which is not what {dtype} of shape [{string.Join(", ", shape)}] takes");
        return new Entry(name, type.DType, shape, start, end);
    }

    private long[] ReadNumbers(ref Utf8JsonReader reader, string what)
    {
        var numbers = new List<long>();
        Expect(ref reader, JsonTokenType.StartArray, what);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var number))
                throw Damaged($"'{Show(what)}' is not a list of whole numbers");
            numbers.Add(number);
            if (numbers.Count > MaxRank)
                throw Damaged($"'{Show(what)}' has more than {MaxRank} numbers");
        }
        return [.. numbers];
    }

    /// <summary>Every byte of the data belongs to one tensor: neither holes nor overlaps, and nothing behind the last one.</summary>
    private void CheckCoverage()
    {
        long covered = 0;
        foreach (var tensor in Tensors.OrderBy(tensor => tensor.Start).ThenBy(tensor => tensor.End))
        {
            if (tensor.Start != covered)
                throw Damaged($"'{Show(tensor.Name)}' begins at byte {tensor.Start} of the data and the tensor before it ends at {covered}");
            covered = tensor.End;
        }
        if (covered != _dataLength)
            throw Damaged($"its tensors take {covered} bytes of data and the file has {_dataLength}");
    }

    private void Expect(ref Utf8JsonReader reader, JsonTokenType expected, string what)
    {
        if (!reader.Read() || reader.TokenType != expected)
            throw Damaged($"'{Show(what)}' in its header is a {reader.TokenType}, expected a {expected}");
    }

    private static string Show(string text) => WeightFileBytes.Show(text);

    private FileException Damaged(string what, Exception? inner = null)
        => new(_path, $"{_path} is not a whole safetensors file: {what}; download it again or save it anew.", inner);
}
