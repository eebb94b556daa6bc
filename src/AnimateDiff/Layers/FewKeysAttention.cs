using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using static AnimateDiff.Layers.HeadMemory;

namespace AnimateDiff.Layers;

/// <summary>
/// Attention to so few keys that all scores of a row are in one or two vectors: the frames of a clip, which each place and head attends along by itself. Tens of thousands
/// of such heads make a layer, and their time is that of bringing their elements in and out; in fp32, by AVX-512.
/// </summary>
internal static unsafe class FewKeysAttention
{
    /// <summary>Most keys.</summary>
    public const int MostKeys = 2 * Lanes;

    // Elements of a row that are had at once: the frames of a place are far from each other, by a power of two, so that all of them want the same lines of the cache.
    private const int Stretch = 640;

    private const int Rows = 8;

    /// <summary>Heads that are computed at once, where they are side by side.</summary>
    public static int HeadsTogether(HeadSizes sizes) => Math.Max(1, Stretch / sizes.Depth);

    /// <summary>What the work on some heads takes.</summary>
    public static nuint Floats(HeadSizes sizes, int heads)
        => (nuint)((MostKeys * 2 + Rows * 2) * RowOf(sizes, heads) + heads * sizes.Width * MostKeys + Rows * MostKeys + Lanes * Lanes);

    /// <summary>All queries of some heads of one image.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Heads<T>(HeadView query, HeadView key, HeadView value, HeadView made, long image, long head, int heads, HeadSizes sizes, float* memory) where T : unmanaged
    {
        var (depth, width, vectors, all, row) = (sizes.Depth, sizes.Width, (sizes.Keys + Lanes - 1) / Lanes, heads * sizes.Depth, RowOf(sizes, heads));
        var (padded, scale) = (vectors * Lanes, (float)(Math.Log2(Math.E) / Math.Sqrt(depth)));              // powers of 2 instead of e
        var values = memory;                                                                                 // [M, heads · D]
        var keys = values + MostKeys * row;                                                                  // [16 or 32, heads · D]
        var queries = keys + MostKeys * row;                                                                 // [8, heads · D]
        var sums = queries + Rows * row;                                                                     // [8, heads · D]
        var columns = sums + Rows * row;                                                                     // [heads, D rounded up, 16 or 32]
        var scores = columns + heads * width * MostKeys;                                                     // [8, 16 or 32]
        var corner = scores + Rows * MostKeys;                                                               // [16, 16]

        for (var i = 0; i < sizes.Keys; i++)
        {
            Read((T*)value.Row(image, head, i), values + i * row, all, all, 1);
            Read((T*)key.Row(image, head, i), keys + i * row, all, all, scale);
        }
        new Span<float>(keys + sizes.Keys * row, (padded - sizes.Keys) * row).Clear();
        for (var one = 0; one < heads; one++)
            for (var i = 0; i < padded; i += Lanes)
                for (var at = 0; at < width; at += Lanes)
                    Transpose(keys + i * row + one * depth + at, row, columns + (one * width + at) * padded + i, padded, corner);

        for (var first = 0; first < sizes.Queries; first += Rows)
        {
            var rows = Math.Min(Rows, sizes.Queries - first);
            for (var i = 0; i < rows; i++)
                Read((T*)query.Row(image, head, first + i), queries + i * row, all, all, 1);
            for (var one = 0; one < heads; one++)
            {
                for (var at = 0; at < padded; at += Lanes)
                    Multiply(queries + one * depth, row, columns + one * width * padded + at, padded, scores + at, padded, depth);
                for (var i = 0; i < Rows; i++)
                    Soften(scores + i * padded, sizes.Keys, vectors);
                for (var at = 0; at < width; at += Lanes)                                                    // what is too much of a head is written over by the next
                    Multiply(scores, padded, values + one * depth + at, row, sums + one * depth + at, row, sizes.Keys);
            }
            for (var i = 0; i < rows; i++)
                Write(sums + i * row, (T*)made.Row(image, head, first + i), all, 1);
        }
    }

    // Elements between rows in memory: those of the heads, and as many as a last vector may read or write too much.
    private static int RowOf(HeadSizes sizes, int heads) => (heads * sizes.Depth + Lanes - 1) / Lanes * Lanes + Lanes;

    // Scores of one row become shares, which add up to 1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Soften(float* scores, int count, int vectors)
    {
        for (var i = count; i < vectors * Lanes; i++)
            scores[i] = float.NegativeInfinity;
        var (low, high) = (Vector512.Load(scores), vectors > 1 ? Vector512.Load(scores + Lanes) : Vector512.Create(float.NegativeInfinity));
        var most = Vector512.Create(Largest(Vector512.Max(low, high)));
        low = Power(low - most);
        high = vectors > 1 ? Power(high - most) : default;
        var share = Vector512.Create(1 / Vector512.Sum(low + high));
        (low * share).Store(scores);
        if (vectors > 1)
            (high * share).Store(scores + Lanes);
    }

    // C [8, 16] = A [8, depth] · B [depth, 16]; the sums stay in registers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply(float* a, int aRow, float* b, int bRow, float* c, int cRow, int depth)
    {
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default, c6 = default, c7 = default;
        float* a3 = a + 3 * aRow, a6 = a3 + 3 * aRow;
        for (var k = 0; k < depth; k++, b += bRow)
        {
            var x = Vector512.Load(b);
            c0 = Vector512.FusedMultiplyAdd(Vector512.Create(a[k]), x, c0);
            c1 = Vector512.FusedMultiplyAdd(Vector512.Create(a[k + aRow]), x, c1);
            c2 = Vector512.FusedMultiplyAdd(Vector512.Create(a3[k - aRow]), x, c2);
            c3 = Vector512.FusedMultiplyAdd(Vector512.Create(a3[k]), x, c3);
            c4 = Vector512.FusedMultiplyAdd(Vector512.Create(a3[k + aRow]), x, c4);
            c5 = Vector512.FusedMultiplyAdd(Vector512.Create(a6[k - aRow]), x, c5);
            c6 = Vector512.FusedMultiplyAdd(Vector512.Create(a6[k]), x, c6);
            c7 = Vector512.FusedMultiplyAdd(Vector512.Create(a6[k + aRow]), x, c7);
        }
        c0.Store(c);
        c1.Store(c + cRow);
        c2.Store(c + 2 * cRow);
        c3.Store(c + 3 * cRow);
        c4.Store(c + 4 * cRow);
        c5.Store(c + 5 * cRow);
        c6.Store(c + 6 * cRow);
        c7.Store(c + 7 * cRow);
    }

    // [16, 16], rows and columns exchanged: within fours of rows, then the fours.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose(float* from, int fromRow, float* to, int toRow, float* corner)
    {
        for (var four = 0; four < Lanes; four += 4)
        {
            Vector512<float> a = Vector512.Load(from), b = Vector512.Load(from + fromRow), c = Vector512.Load(from + 2 * fromRow), d = Vector512.Load(from + 3 * fromRow);
            Vector512<double> ab = Avx512F.UnpackLow(a, b).AsDouble(), cd = Avx512F.UnpackLow(c, d).AsDouble(), abHigh = Avx512F.UnpackHigh(a, b).AsDouble(), cdHigh = Avx512F.UnpackHigh(c, d).AsDouble();
            var place = corner + four * Lanes;                                                               // lane L of row c: column 4·L + c of the four rows
            Avx512F.UnpackLow(ab, cd).AsSingle().Store(place);
            Avx512F.UnpackHigh(ab, cd).AsSingle().Store(place + Lanes);
            Avx512F.UnpackLow(abHigh, cdHigh).AsSingle().Store(place + 2 * Lanes);
            Avx512F.UnpackHigh(abHigh, cdHigh).AsSingle().Store(place + 3 * Lanes);
            from += 4 * fromRow;
        }
        const byte even = 0b10_00_10_00, odd = 0b11_01_11_01;
        for (var column = 0; column < 4; column++)
        {
            var place = corner + column * Lanes;
            Vector512<float> a = Vector512.Load(place), b = Vector512.Load(place + 4 * Lanes), c = Vector512.Load(place + 8 * Lanes), d = Vector512.Load(place + 12 * Lanes);
            Vector512<float> abEven = Avx512F.Shuffle4x128(a, b, even), cdEven = Avx512F.Shuffle4x128(c, d, even), abOdd = Avx512F.Shuffle4x128(a, b, odd), cdOdd = Avx512F.Shuffle4x128(c, d, odd);
            Avx512F.Shuffle4x128(abEven, cdEven, even).Store(to + column * toRow);
            Avx512F.Shuffle4x128(abOdd, cdOdd, even).Store(to + (4 + column) * toRow);
            Avx512F.Shuffle4x128(abEven, cdEven, odd).Store(to + (8 + column) * toRow);
            Avx512F.Shuffle4x128(abOdd, cdOdd, odd).Store(to + (12 + column) * toRow);
        }
    }
}
