namespace AnimateDiff.Training.Dataset;

/// <summary>
/// Permutations without memory: a Feistel network over at least eight bits permutes a range of 2^2n numbers, and a result outside the set is permuted again
/// until it is inside ("cycle walking", Black and Rogaway 2002). Position 10⁹ costs what position 0 does, so resuming is free.
/// </summary>
internal static class EpochOrder
{
    private const int Rounds = 8;
    private const int LeastHalfBits = 4;

    /// <summary>The entry at a place of an epoch.</summary>
    /// <param name="count">Number of entries, at least 1.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="epoch">Which epoch, from 0.</param>
    /// <param name="place">0…<paramref name="count"/>−1.</param>
    public static int Entry(int count, ulong seed, long epoch, int place)
    {
        var key = SampleDraw.Mix(SampleDraw.Mix(seed ^ 0x6F72646572) + SampleDraw.Mix((ulong)epoch + 1));      // "order": not the key of a draw
        var half = LeastHalfBits;
        while (1L << (2 * half) < count)
            half++;
        var entry = (uint)place;
        do
            entry = Permute(entry, key, half);
        while (entry >= (uint)count);
        return (int)entry;
    }

    private static uint Permute(uint number, ulong key, int half)
    {
        var mask = (1u << half) - 1;
        var (left, right) = (number >> half, number & mask);
        for (var round = 1; round <= Rounds; round++)
            (left, right) = (right, left ^ ((uint)(SampleDraw.Mix(key + ((ulong)round << 32) + right) >> 32) & mask));
        return left << half | right;
    }
}
