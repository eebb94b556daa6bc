using System.Runtime.Intrinsics.X86;
using AnimateDiff.Layers;

namespace AnimateDiff.Tests.Layers;

/// <summary>The project's own attention is libtorch's, to the rounding of its type.</summary>
public class FlashAttentionTests
{
    [Theory]
    [InlineData(ScalarType.Float32, 2, 100, 100, 40)]       // lengths that do not divide into blocks
    [InlineData(ScalarType.Float32, 1, 300, 257, 80)]
    [InlineData(ScalarType.Float32, 2, 31, 77, 160)]        // a text
    [InlineData(ScalarType.Float32, 1, 1, 129, 12)]
    [InlineData(ScalarType.BFloat16, 2, 100, 130, 40)]
    [InlineData(ScalarType.BFloat16, 3, 8, 8, 20)]          // frames
    [InlineData(ScalarType.BFloat16, 2, 16, 16, 40)]
    [InlineData(ScalarType.Float32, 2, 16, 16, 40)]
    [InlineData(ScalarType.Float32, 150, 3, 3, 16)]
    [InlineData(ScalarType.Float32, 2, 24, 24, 80)]
    [InlineData(ScalarType.Float32, 2, 32, 32, 12)]
    [InlineData(ScalarType.Float32, 2, 50, 4, 160)]         // a picture's tokens
    [InlineData(ScalarType.Float32, 2, 7, 1, 33)]
    public void It_is_softmax_of_products_times_values(ScalarType type, long n, long rows, long keys, long depth)
    {
        if (!Avx512F.IsSupported)
            return;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (query, key, value) = (Draw(1, n, rows, depth).mul(Large), Draw(2, n, keys, depth), Draw(3, n, keys, depth));
        var exact = nn.functional.scaled_dot_product_attention(As(query, ScalarType.Float64), As(key, ScalarType.Float64), As(value, ScalarType.Float64)).transpose(1, 2);
        var found = FlashAttention.Attend(As(query, type), As(key, type), As(value, type));
        Assert.Equal([n, rows, Heads, depth], found.shape);
        Assert.Equal(type, found.dtype);
        Assert.InRange((found.to(ScalarType.Float64) - exact).abs().max().item<double>(), 0, type == ScalarType.Float32 ? 1e-5 : 0.02);

        // [n, length, heads · depth] → [n, heads, length, depth] in the values of the type
        Tensor As(Tensor tokens, ScalarType own) => tokens.to(type).to(own).view(n, -1, Heads, depth).transpose(1, 2);
    }

    [Theory]
    [InlineData(300)]
    [InlineData(30)]
    public void Scores_far_apart_stay_numbers_and_the_largest_wins(long keys)
    {
        if (!Avx512F.IsSupported)
            return;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var query = ones(1, 1, 24, 16);
        var key = zeros(1, 1, keys, 16);
        key[0, 0, keys - 9] = 1e4f;
        var value = Draw(4, 1, keys, 16).view(1, keys, 2, 16).transpose(1, 2).narrow(1, 0, 1);
        var found = FlashAttention.Attend(query, key, value);
        Assert.True(found.allclose(value[0, 0, keys - 9].expand_as(found)));
    }

    [Theory]
    [InlineData(140)]
    [InlineData(19)]
    public void A_row_does_not_depend_on_the_others(long keys)
    {
        if (!Avx512F.IsSupported)
            return;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor Heads16(ulong seed, long length) => Draw(seed, 3, length, 16).view(3, length, 2, 16).transpose(1, 2);
        var (query, key, value) = (Heads16(5, 75), Heads16(6, keys), Heads16(7, keys));
        var whole = FlashAttention.Attend(query, key, value);
        for (var n = 0; n < 3; n++)
            foreach (var (first, count) in new[] { (0, 1), (1, 30), (31, 44) })
            {
                var part = FlashAttention.Attend(query.narrow(0, n, 1).narrow(2, first, count), key.narrow(0, n, 1), value.narrow(0, n, 1));
                Assert.True(part.equal(whole.narrow(0, n, 1).narrow(1, first, count)).all().item<bool>());
            }
    }

    private const long Heads = 2;
    private static readonly Scalar Large = 3;

    private static Tensor Draw(ulong seed, long n, long length, long depth)
    {
        using var generator = new Generator(seed, CPU);
        return randn([n, length, Heads * depth], generator: generator);
    }
}
