using System.Buffers.Binary;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace AnimateDiff.Weights;

/// <summary>The safetensors format: 8-byte header length, JSON header, data (https://github.com/huggingface/safetensors#format).</summary>
public static class SafetensorsFile
{
    /// <summary>Opens a file; tensors are read straight into their own memory when asked for.</summary>
    /// <exception cref="FileException">The file is missing or its header is damaged.</exception>
    public static StateDict Open(string path)
    {
        if (!File.Exists(path))
            throw new FileException(path, $"{path} does not exist.");
        var file = File.OpenHandle(path);
        try
        {
            Span<byte> prefix = stackalloc byte[8];
            RandomAccess.Read(file, prefix, 0);
            var headerLength = (long)BinaryPrimitives.ReadUInt64LittleEndian(prefix);
            var header = new byte[headerLength];
            RandomAccess.Read(file, header, 8);
            var tensors = new Dictionary<string, WeightTensor>();
            var metadata = new Dictionary<string, string>();
            foreach (var entry in JsonDocument.Parse(header).RootElement.EnumerateObject())
            {
                if (entry.Name == "__metadata__")
                {
                    foreach (var item in entry.Value.EnumerateObject())
                        metadata[item.Name] = item.Value.GetString() ?? "";
                    continue;
                }
                var dtype = DTypeOf(entry.Value.GetProperty("dtype").GetString()!);
                long[] shape = [.. entry.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())];
                var start = 8 + headerLength + entry.Value.GetProperty("data_offsets")[0].GetInt64();
                tensors.Add(entry.Name, new WeightTensor(dtype, shape, () => Read(file, start, dtype, shape)));
            }
            return new StateDict(path, tensors, metadata, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static Tensor Read(SafeFileHandle file, long start, ScalarType dtype, long[] shape)
    {
        var tensor = empty(shape, dtype);
        var bytes = tensor.bytes;
        for (var read = 0; read < bytes.Length;)
            read += RandomAccess.Read(file, bytes[read..], start + read);
        return tensor;
    }

    private static ScalarType DTypeOf(string name) => name switch
    {
        "F64" => ScalarType.Float64,
        "F32" => ScalarType.Float32,
        "F16" => ScalarType.Float16,
        "BF16" => ScalarType.BFloat16,
        "I64" => ScalarType.Int64,
        _ => throw new NotSupportedException(name),
    };
}
