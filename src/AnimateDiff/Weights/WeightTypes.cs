namespace AnimateDiff.Weights;

/// <summary>An element type that weight files hold, under the names that the formats give it.</summary>
/// <param name="DType">The type.</param>
/// <param name="Safetensors">Its name in a safetensors header.</param>
/// <param name="Torch">Its name in PyTorch: <c>torch.float16</c> without the module.</param>
/// <param name="Storage">The class of its storage in a pickle: <c>torch.HalfStorage</c> without the module.</param>
/// <param name="Size">Bytes of one element.</param>
internal sealed record WeightType(ScalarType DType, string Safetensors, string Torch, string Storage, int Size);

/// <summary>
/// The element types of weight files, in the order in which the safetensors library lays tensors out: widest first, so that each one is aligned.
/// </summary>
internal static class WeightTypes
{
    public static readonly WeightType[] All =
    [
        new(ScalarType.Int64, "I64", "int64", "LongStorage", 8),
        new(ScalarType.Float64, "F64", "float64", "DoubleStorage", 8),
        new(ScalarType.Float32, "F32", "float32", "FloatStorage", 4),
        new(ScalarType.Int32, "I32", "int32", "IntStorage", 4),
        new(ScalarType.BFloat16, "BF16", "bfloat16", "BFloat16Storage", 2),
        new(ScalarType.Float16, "F16", "float16", "HalfStorage", 2),
        new(ScalarType.Int16, "I16", "int16", "ShortStorage", 2),
        new(ScalarType.Int8, "I8", "int8", "CharStorage", 1),
        new(ScalarType.Byte, "U8", "uint8", "ByteStorage", 1),
        new(ScalarType.Bool, "BOOL", "bool", "BoolStorage", 1),
    ];

    public static WeightType? Find(ScalarType dtype) => Array.Find(All, type => type.DType == dtype);

    public static WeightType? FindSafetensors(string name) => Array.Find(All, type => type.Safetensors == name);

    /// <summary>Bytes of one element of a type that weight files hold.</summary>
    public static int SizeOf(ScalarType dtype)
        => Find(dtype)?.Size
            ?? throw new ArgumentException($"Weight files hold no {dtype} tensors; cast it to one of {string.Join(", ", All.Select(type => type.DType))}.");

    /// <summary>Number of elements, or null where the sizes are negative or their product does not fit 62 bits even with zeros left out.</summary>
    public static long? ElementCount(ReadOnlySpan<long> shape)
    {
        Int128 product = 1;
        var empty = false;
        foreach (var size in shape)
        {
            if (size < 0)
                return null;
            empty |= size == 0;
            product *= Math.Max(size, 1);
            if (product > 1L << 62)
                return null;
        }
        return empty ? 0 : (long)product;
    }
}
