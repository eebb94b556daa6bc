using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using static AnimateDiff.Layers.HeadMemory;

namespace AnimateDiff.Layers;

/// <summary>
/// Attention for the CPU, softmax(Q·Kᵀ/√D)·V, a block of keys at a time and with the maximum of each row brought along, so that the scores of all keys are never in
/// memory (Dao et al. 2022, arXiv 2205.14135, algorithm 1). It computes in fp32, in AVX-512's 16 lanes, whatever the tensors' type; libtorch's own is bound to its
/// matrix library, which on processors that are not Intel's stays at AVX2, and takes twice as long. Few keys have a kernel of their own, <see cref="FewKeysAttention"/>.
/// </summary>
internal static unsafe class FlashAttention
{
    private const int KeyBlock = 8 * Lanes, TileRows = 6, QueryBlock = 4 * TileRows, LibraryKeys = 192;

    /// <summary>Whether it can be used, and is faster: without gradients, in fp32 or bf16, on a processor with AVX-512. In fp32 libtorch's is as fast where keys are few.</summary>
    public static bool Takes(Tensor query, Tensor key) => Avx512F.IsSupported && query.device_type == DeviceType.CPU && !is_grad_enabled()
        && (query.dtype == ScalarType.BFloat16 || (query.dtype == ScalarType.Float32 && key.shape[2] > LibraryKeys));

    /// <param name="query">[N, heads, L, D], with elements of one head side by side.</param>
    /// <param name="key">[N, heads, M, D], likewise.</param>
    /// <param name="value">[N, heads, M, D], likewise.</param>
    /// <returns>[N, L, heads, D], contiguous.</returns>
    public static Tensor Attend(Tensor query, Tensor key, Tensor value)
    {
        var (n, heads, rows) = (query.shape[0], query.shape[1], query.shape[2]);
        var result = empty([n, rows, heads, query.shape[3]], query.dtype, query.device);
        using var swapped = result.transpose(1, 2);
        var sizes = new HeadSizes((int)rows, (int)key.shape[2], (int)query.shape[3]);
        HeadView q = new(query), k = new(key), v = new(value), made = new(swapped);
        var (isFew, isHalf, threads) = (sizes.Keys <= FewKeysAttention.MostKeys, query.dtype == ScalarType.BFloat16, get_num_threads());
        var together = isFew && q.IsJoined(sizes) && k.IsJoined(sizes) && v.IsJoined(sizes) ? FewKeysAttention.HeadsTogether(sizes) : 1;
        var groups = (heads + together - 1) / together;                                                      // of heads, in an image
        var (jobs, next) = (n * groups, -1L);

        LibtorchThreads.Run((int)Math.Min(threads, jobs), Work);
        return result;

        void Work()
        {
            var memory = (float*)NativeMemory.AlignedAlloc((isFew ? FewKeysAttention.Floats(sizes, together) : Floats(sizes)) * sizeof(float), 64);
            try
            {
                for (var job = Interlocked.Increment(ref next); job < jobs; job = Interlocked.Increment(ref next))
                    Compute(job / groups, job % groups * together, memory);
            }
            finally
            {
                NativeMemory.AlignedFree(memory);
            }
        }

        void Compute(long image, long head, float* memory)
        {
            var count = (int)Math.Min(together, heads - head);
            switch (isFew, isHalf)
            {
                case (true, true): FewKeysAttention.Heads<ushort>(q, k, v, made, image, head, count, sizes, memory); break;
                case (true, false): FewKeysAttention.Heads<float>(q, k, v, made, image, head, count, sizes, memory); break;
                case (false, true): Head<ushort>(q, k, v, made, image, head, sizes, memory); break;
                default: Head<float>(q, k, v, made, image, head, sizes, memory); break;
            }
        }
    }

    // All queries of one head of one image.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Head<T>(HeadView query, HeadView key, HeadView value, HeadView made, long image, long head, HeadSizes sizes, float* memory) where T : unmanaged
    {
        var (depth, width, padded) = (sizes.Depth, sizes.Width, PaddedKeys(sizes));
        var keys = memory;                                                                                   // blocks of [D, 128]
        var values = keys + (nint)padded * depth;                                                            // [M, D rounded up]
        var queries = values + (nint)padded * width;                                                         // [24, D], at most
        var scores = queries + QueryBlock * width;                                                           // [24, 128]
        var sums = scores + QueryBlock * KeyBlock;                                                           // [24, D rounded up]
        var totals = sums + QueryBlock * width;                                                              // [24, 16]
        var largest = stackalloc float[QueryBlock];

        for (var row = 0; row < (sizes.Keys + Lanes - 1) / Lanes * Lanes; row++)                             // up to whole vectors there are zeros
        {
            var (from, filled) = (Math.Min(row, sizes.Keys - 1), row < sizes.Keys ? depth : 0);
            Read((T*)value.Row(image, head, from), values + (nint)row * width, filled, width, 1);
            Read((T*)key.Row(image, head, from), sums, filled, width, 1);
            var column = keys + (nint)(row / KeyBlock) * KeyBlock * depth + row % KeyBlock;
            for (var i = 0; i < depth; i++)
                column[i * KeyBlock] = sums[i];
        }

        var scale = (float)(Math.Log2(Math.E) / Math.Sqrt(depth));                                           // powers of 2 instead of e
        for (var first = 0; first < sizes.Queries; first += QueryBlock)
        {
            var rows = Math.Min(QueryBlock, sizes.Queries - first);
            var tiled = (rows + TileRows - 1) / TileRows * TileRows;
            for (var row = 0; row < tiled; row++)
                Read((T*)query.Row(image, head, first + Math.Min(row, rows - 1)), queries + row * depth, depth, depth, scale);
            new Span<float>(sums, tiled * width).Clear();
            new Span<float>(totals, tiled * Lanes).Clear();
            new Span<float>(largest, tiled).Fill(float.NegativeInfinity);

            for (var block = 0; block < sizes.Keys; block += KeyBlock)
            {
                var count = Math.Min(KeyBlock, sizes.Keys - block);
                var vectors = (count + Lanes - 1) / Lanes;
                Multiply(queries, depth, keys + (nint)block * depth, KeyBlock, scores, KeyBlock, tiled, depth, vectors, add: false);
                for (var row = 0; row < tiled; row++)
                    Soften(scores + row * KeyBlock, count, vectors, ref largest[row], totals + row * Lanes, sums + row * width, width);
                Multiply(scores, KeyBlock, values + (nint)block * width, width, sums, width, tiled, vectors * Lanes, width / Lanes, add: true);
            }
            for (var row = 0; row < rows; row++)
                Write(sums + row * width, (T*)made.Row(image, head, first + row), depth, 1 / Vector512.Sum(Vector512.Load(totals + row * Lanes)));
        }
    }

    // A row of scores becomes powers; what was added up before is scaled to the new maximum.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Soften(float* scores, int count, int vectors, ref float largest, float* total, float* sums, int width)
    {
        for (var i = count; i < vectors * Lanes; i++)
            scores[i] = float.NegativeInfinity;
        var most = Vector512.Load(scores);
        for (var i = 1; i < vectors; i++)
            most = Vector512.Max(most, Vector512.Load(scores + i * Lanes));
        var now = MathF.Max(largest, Largest(most));
        var maximum = Vector512.Create(now);
        var sum = Vector512<float>.Zero;
        for (var i = 0; i < vectors; i++)
        {
            var power = Power(Vector512.Load(scores + i * Lanes) - maximum);
            power.Store(scores + i * Lanes);
            sum += power;
        }
        if (now == largest)
            (Vector512.Load(total) + sum).Store(total);
        else
        {
            var factor = Power(Vector512.Create(largest - now));
            Vector512.FusedMultiplyAdd(Vector512.Load(total), factor, sum).Store(total);
            for (var i = 0; i < width; i += Lanes)
                (Vector512.Load(sums + i) * factor).Store(sums + i);
            largest = now;
        }
    }

    // C [rows, 16·vectors] = A [rows, depth] · B [depth, 16·vectors], or is added to. Rows are a multiple of 6.
    private static void Multiply(float* a, int aRow, float* b, int bRow, float* c, int cRow, int rows, int depth, int vectors, bool add)
    {
        while (vectors > 0)
        {
            var columns = vectors is 5 ? 3 : Math.Min(vectors, 4);
            for (var row = 0; row < rows; row += TileRows)
            {
                float* from = a + (nint)row * aRow, to = c + (nint)row * cRow;
                switch (columns)
                {
                    case 1: Tile<One>(from, aRow, b, bRow, to, cRow, depth, add); break;
                    case 2: Tile<Two>(from, aRow, b, bRow, to, cRow, depth, add); break;
                    case 3: Tile<Three>(from, aRow, b, bRow, to, cRow, depth, add); break;
                    default: Tile<Four>(from, aRow, b, bRow, to, cRow, depth, add); break;
                }
            }
            b += columns * Lanes;
            c += columns * Lanes;
            vectors -= columns;
        }
    }

    // 6 rows of up to 4 vectors, which stay in registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TColumns>(float* a, int aRow, float* b, int bRow, float* c, int cRow, int depth, bool add) where TColumns : struct, IColumns
    {
        float* a1 = a + aRow, a2 = a1 + aRow, a3 = a2 + aRow, a4 = a3 + aRow, a5 = a4 + aRow;
        Vector512<float> c00 = default, c01 = default, c02 = default, c03 = default, c10 = default, c11 = default, c12 = default, c13 = default,
            c20 = default, c21 = default, c22 = default, c23 = default, c30 = default, c31 = default, c32 = default, c33 = default,
            c40 = default, c41 = default, c42 = default, c43 = default, c50 = default, c51 = default, c52 = default, c53 = default;
        Vector512<float> x;
        for (var k = 0; k < depth; k++, b += bRow)
        {
            var b0 = Vector512.Load(b);
            var b1 = TColumns.Count > 1 ? Vector512.Load(b + Lanes) : default;
            var b2 = TColumns.Count > 2 ? Vector512.Load(b + 2 * Lanes) : default;
            var b3 = TColumns.Count > 3 ? Vector512.Load(b + 3 * Lanes) : default;
            x = Vector512.Create(a[k]);
            c00 = Vector512.FusedMultiplyAdd(x, b0, c00);
            c01 = TColumns.Count > 1 ? Vector512.FusedMultiplyAdd(x, b1, c01) : default;
            c02 = TColumns.Count > 2 ? Vector512.FusedMultiplyAdd(x, b2, c02) : default;
            c03 = TColumns.Count > 3 ? Vector512.FusedMultiplyAdd(x, b3, c03) : default;
            x = Vector512.Create(a1[k]);
            c10 = Vector512.FusedMultiplyAdd(x, b0, c10);
            c11 = TColumns.Count > 1 ? Vector512.FusedMultiplyAdd(x, b1, c11) : default;
            c12 = TColumns.Count > 2 ? Vector512.FusedMultiplyAdd(x, b2, c12) : default;
            c13 = TColumns.Count > 3 ? Vector512.FusedMultiplyAdd(x, b3, c13) : default;
            x = Vector512.Create(a2[k]);
            c20 = Vector512.FusedMultiplyAdd(x, b0, c20);
            c21 = TColumns.Count > 1 ? Vector512.FusedMultiplyAdd(x, b1, c21) : default;
            c22 = TColumns.Count > 2 ? Vector512.FusedMultiplyAdd(x, b2, c22) : default;
            c23 = TColumns.Count > 3 ? Vector512.FusedMultiplyAdd(x, b3, c23) : default;
            x = Vector512.Create(a3[k]);
            c30 = Vector512.FusedMultiplyAdd(x, b0, c30);
            c31 = TColumns.Count > 1 ? Vector512.FusedMultiplyAdd(x, b1, c31) : default;
            c32 = TColumns.Count > 2 ? Vector512.FusedMultiplyAdd(x, b2, c32) : default;
            c33 = TColumns.Count > 3 ? Vector512.FusedMultiplyAdd(x, b3, c33) : default;
            x = Vector512.Create(a4[k]);
            c40 = Vector512.FusedMultiplyAdd(x, b0, c40);
            c41 = TColumns.Count > 1 ? Vector512.FusedMultiplyAdd(x, b1, c41) : default;
            c42 = TColumns.Count > 2 ? Vector512.FusedMultiplyAdd(x, b2, c42) : default;
            c43 = TColumns.Count > 3 ? Vector512.FusedMultiplyAdd(x, b3, c43) : default;
            x = Vector512.Create(a5[k]);
            c50 = Vector512.FusedMultiplyAdd(x, b0, c50);
            c51 = TColumns.Count > 1 ? Vector512.FusedMultiplyAdd(x, b1, c51) : default;
            c52 = TColumns.Count > 2 ? Vector512.FusedMultiplyAdd(x, b2, c52) : default;
            c53 = TColumns.Count > 3 ? Vector512.FusedMultiplyAdd(x, b3, c53) : default;
        }
        Put<TColumns>(c, add, c00, c01, c02, c03);
        Put<TColumns>(c + cRow, add, c10, c11, c12, c13);
        Put<TColumns>(c + 2 * cRow, add, c20, c21, c22, c23);
        Put<TColumns>(c + 3 * cRow, add, c30, c31, c32, c33);
        Put<TColumns>(c + 4 * cRow, add, c40, c41, c42, c43);
        Put<TColumns>(c + 5 * cRow, add, c50, c51, c52, c53);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TColumns>(float* c, bool add, Vector512<float> s0, Vector512<float> s1, Vector512<float> s2, Vector512<float> s3) where TColumns : struct, IColumns
    {
        (add ? Vector512.Load(c) + s0 : s0).Store(c);
        if (TColumns.Count > 1)
            (add ? Vector512.Load(c + Lanes) + s1 : s1).Store(c + Lanes);
        if (TColumns.Count > 2)
            (add ? Vector512.Load(c + 2 * Lanes) + s2 : s2).Store(c + 2 * Lanes);
        if (TColumns.Count > 3)
            (add ? Vector512.Load(c + 3 * Lanes) + s3 : s3).Store(c + 3 * Lanes);
    }

    private interface IColumns
    {
        static abstract int Count { get; }
    }

    private struct One : IColumns
    {
        public static int Count => 1;
    }

    private struct Two : IColumns
    {
        public static int Count => 2;
    }

    private struct Three : IColumns
    {
        public static int Count => 3;
    }

    private struct Four : IColumns
    {
        public static int Count => 4;
    }

    private static int PaddedKeys(HeadSizes sizes) => (sizes.Keys + KeyBlock - 1) / KeyBlock * KeyBlock;

    // What a head's work takes.
    private static nuint Floats(HeadSizes sizes) =>
        (nuint)((long)PaddedKeys(sizes) * (sizes.Depth + sizes.Width) + QueryBlock * (sizes.Width + KeyBlock + sizes.Width + Lanes) + Lanes);
}
