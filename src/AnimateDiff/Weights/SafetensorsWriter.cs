using System.Buffers;
using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace AnimateDiff.Weights;

/// <summary>Writes safetensors files, laid out byte for byte as the reference implementation does: widest type first, then by name.</summary>
public static class SafetensorsWriter
{
    /// <summary>Writes tensors of weight files, one in memory at a time; the file appears under its name only when it is whole.</summary>
    /// <param name="path">File to write; an existing one is replaced.</param>
    /// <param name="tensors">The tensors by name, such as a <see cref="StateDict"/>.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>, written in the order of their keys.</param>
    /// <param name="dtype">Type to write a tensor in, by name and tensor; null keeps each tensor's own.</param>
    /// <exception cref="FileException">The file cannot be written.</exception>
    /// <exception cref="ArgumentException">Two tensors have one name, or a type is none that the format has here.</exception>
    public static void Write(
        string path,
        IEnumerable<KeyValuePair<string, WeightTensor>> tensors,
        IReadOnlyDictionary<string, string>? metadata = null,
        Func<string, WeightTensor, ScalarType>? dtype = null)
    {
        Entry[] entries =
        [
            .. tensors.Select(entry => new Entry(entry.Key, entry.Value, TypeOf(dtype?.Invoke(entry.Key, entry.Value) ?? entry.Value.DType)))
                .OrderBy(entry => Array.IndexOf(WeightTypes.All, entry.Type)).ThenBy(entry => entry.Name, StringComparer.Ordinal),
        ];
        if (entries.GroupBy(entry => entry.Name).FirstOrDefault(group => group.Count() > 1 || group.Key == "__metadata__") is { } taken)
            throw new ArgumentException($"'{taken.Key}' cannot be written to {path}: two tensors have this name, or it is the format's own.");

        var partial = $"{path}.{Guid.NewGuid():N}.partial";
        try
        {
            using (var stream = new FileStream(partial, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1))
            {
                WriteHeader(stream, entries, metadata);
                foreach (var entry in entries)
                    WriteTensor(stream, entry);
                stream.Flush(flushToDisk: true);
            }
            File.Move(partial, path, overwrite: true);
        }
        // The last is .NET's reading of EFBIG: FAT32 ends at 4 GiB, and a shell's ulimit -f where it says.
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentOutOfRangeException { ParamName: "value" })
        {
            throw new FileException(path, $"{path} cannot be written: {error.Message}", error);
        }
        finally
        {
            if (File.Exists(partial))
                File.Delete(partial);
        }
    }

    /// <summary>Writes tensors that are in memory; see the other overload.</summary>
    /// <param name="path">File to write; an existing one is replaced.</param>
    /// <param name="tensors">Names and tensors, of any strides and on any device.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>.</param>
    /// <param name="dtype">Type to write every tensor in; null keeps each tensor's own.</param>
    /// <exception cref="FileException">The file cannot be written.</exception>
    /// <exception cref="ArgumentException">Two tensors have one name, or a type is none that the format has here.</exception>
    public static void Write(
        string path, IEnumerable<(string Name, Tensor Tensor)> tensors, IReadOnlyDictionary<string, string>? metadata = null, ScalarType? dtype = null)
    {
        var entries = tensors.Select(entry => KeyValuePair.Create(entry.Name, WeightTensor.Of(entry.Tensor)));
        Write(path, entries, metadata, dtype is { } type ? (_, _) => type : null);
    }

    private sealed record Entry(string Name, WeightTensor Tensor, WeightType Type);

    private static WeightType TypeOf(ScalarType dtype)
        => WeightTypes.Find(dtype)
            ?? throw new ArgumentException($"{dtype} is not written to safetensors; choose one of {string.Join(", ", WeightTypes.All.Select(type => type.DType))}.");

    private static void WriteHeader(Stream stream, Entry[] entries, IReadOnlyDictionary<string, string>? metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata.OrderBy(entry => entry.Key, StringComparer.Ordinal))
                    json.WriteString(key, value);
                json.WriteEndObject();
            }
            long end = 0;
            foreach (var (name, tensor, type) in entries)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", type.Safetensors);
                json.WriteStartArray("shape");
                foreach (var size in tensor.Shape)
                    json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(end);
                end += tensor.ElementCount * type.Size;
                json.WriteNumberValue(end);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        // The data begins at a multiple of 8, so that a reader that maps the file finds every tensor aligned.
        var padding = -buffer.WrittenCount & 7;
        buffer.GetSpan(padding)[..padding].Fill((byte)' ');
        buffer.Advance(padding);

        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, buffer.WrittenCount);
        stream.Write(length);
        stream.Write(buffer.WrittenSpan);
    }

    private static void WriteTensor(Stream stream, Entry entry)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var tensor = entry.Tensor.Read();
        if (!tensor.shape.SequenceEqual(entry.Tensor.Shape))
            throw new InvalidOperationException(
                $"'{entry.Name}' was announced with shape [{string.Join(", ", entry.Tensor.Shape)}] and read with [{string.Join(", ", tensor.shape)}].");
        WeightFileBytes.ForEachPiece(tensor.to(entry.Type.DType).contiguous(), piece => stream.Write(piece));
    }
}
