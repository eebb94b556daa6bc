using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace AnimateDiff.Layers;

/// <summary>Lengths of the work on one head of attention.</summary>
/// <param name="Queries">L</param>
/// <param name="Keys">M</param>
/// <param name="Depth">D</param>
internal readonly record struct HeadSizes(int Queries, int Keys, int Depth)
{
    /// <summary>D rounded up to whole vectors.</summary>
    public int Width => (Depth + HeadMemory.Lanes - 1) / HeadMemory.Lanes * HeadMemory.Lanes;
}

/// <summary>Where the elements of [N, heads, L, D] are.</summary>
internal readonly unsafe struct HeadView
{
    private readonly nint _start;
    private readonly long _size, _image, _head, _row;

    public HeadView(Tensor tensor)
    {
        if (tensor.stride(3) != 1)
            throw new ArgumentException("The elements of a head must be side by side.", nameof(tensor));
        _size = tensor.element_size();
        (_start, _image, _head, _row) = (NativeHeap.Address(tensor), tensor.stride(0) * _size, tensor.stride(1) * _size, tensor.stride(2) * _size);
    }

    /// <summary>Whether the heads of a row are side by side.</summary>
    public bool IsJoined(HeadSizes sizes) => _head == sizes.Depth * _size;

    public void* Row(long image, long head, int row) => (byte*)_start + image * _image + head * _head + row * _row;
}

/// <summary>What the kernels of attention share: rows of fp32 or bf16 (<c>ushort</c>) from and to fp32 vectors of AVX-512, and powers of two.</summary>
internal static unsafe class HeadMemory
{
    public const int Lanes = 16;

    // Of the 16 numbers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Vector512<float> of)
    {
        var half = Vector256.Max(of.GetLower(), of.GetUpper());
        var quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        quarter = Vector128.Max(quarter, Vector128.Shuffle(quarter, Vector128.Create(2, 3, 0, 1)));
        return MathF.Max(quarter[0], quarter[1]);
    }

    // 2^x for x ≤ 0: by the power series around the nearest whole number, to 1e-7 of it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Power(Vector512<float> x)
    {
        x = Vector512.Max(x, Vector512.Create(-126f));
        var whole = Vector512.Round(x);
        var rest = x - whole;
        var power = Vector512.Create(1.5252734e-5f);                                                         // ln(2)^k / k!, from k = 7 down
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(1.5403530e-4f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(1.3333558e-3f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(9.6181291e-3f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(5.5504109e-2f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(0.24022651f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(0.69314718f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512<float>.One);
        var exponent = Vector512.ConvertToInt32Native(whole) << 23;
        return (power.AsInt32() + exponent).AsSingle();
    }

    // Elements become fp32, times a factor; up to the width there are zeros.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<T>(T* from, float* to, int depth, int width, float factor) where T : unmanaged
    {
        var i = 0;
        for (; i <= depth - Lanes; i += Lanes)
            (Widen(from + i) * factor).Store(to + i);
        for (; i < depth; i++)
            to[i] = (typeof(T) == typeof(float) ? ((float*)from)[i] : BitConverter.Int32BitsToSingle(((ushort*)from)[i] << 16)) * factor;
        for (; i < width; i++)
            to[i] = 0;
    }

    // bf16 is the upper half of an fp32 number.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Widen<T>(T* from) where T : unmanaged => typeof(T) == typeof(float)
        ? Vector512.Load((float*)from)
        : (Avx512F.ConvertToVector512UInt32(Vector256.Load((ushort*)from)) << 16).AsSingle();

    // And back, to the nearest, ties to even.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(float* from, T* to, int depth, float factor) where T : unmanaged
    {
        var i = 0;
        for (; i <= depth - Lanes; i += Lanes)
        {
            var values = Vector512.Load(from + i) * factor;
            if (typeof(T) == typeof(float))
                values.Store((float*)to + i);
            else
                Avx512F.ConvertToVector256UInt16(Nearest(values.AsUInt32()) >> 16).Store((ushort*)to + i);
        }
        for (; i < depth; i++)
        {
            var value = from[i] * factor;
            if (typeof(T) == typeof(float))
                ((float*)to)[i] = value;
            else
                ((ushort*)to)[i] = (ushort)(Nearest(Vector512.CreateScalar(value).AsUInt32())[0] >> 16);
        }
    }

    private static Vector512<uint> Nearest(Vector512<uint> bits) => bits + Vector512.Create(0x7FFFu) + ((bits >> 16) & Vector512<uint>.One);
}
