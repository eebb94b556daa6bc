namespace AnimateDiff.Toybox;

/// <summary>Random numbers without state: each is a hash (splitmix64) of the seed, the index of a scene and the number of the stream.</summary>
internal readonly record struct ToyRandom(ulong Seed, long Index)
{
    /// <summary>Uniform in [0, 1).</summary>
    public double Uniform(int stream) => (Mix(Mix(Mix(Seed) ^ (ulong)Index) ^ (ulong)stream) >> 11) * (1.0 / (1L << 53));

    /// <summary>Uniform in [<paramref name="from"/>, <paramref name="to"/>).</summary>
    public double Between(int stream, double from, double to) => from + Uniform(stream) * (to - from);

    /// <summary>One of the values of an enumeration, all alike.</summary>
    public T Pick<T>(int stream) where T : struct, Enum
    {
        var values = Enum.GetValues<T>();
        return values[(int)(Uniform(stream) * values.Length)];
    }

    /// <summary>A seed of its own for what belongs to this index.</summary>
    public ulong Child() => Mix(Mix(Seed) ^ (ulong)Index);

    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
        value = (value ^ value >> 27) * 0x94D049BB133111EB;
        return value ^ value >> 31;
    }
}
