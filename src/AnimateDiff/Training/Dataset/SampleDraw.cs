namespace AnimateDiff.Training.Dataset;

/// <summary>
/// The random numbers of one sample of a training run: a pure function of seed, position and stream. There is no state to save, so a resumed run makes
/// the decisions of an uninterrupted one, in any order and on any thread.
/// </summary>
/// <param name="Key">What seed and position are hashed to.</param>
internal readonly record struct SampleDraw(ulong Key)
{
    /// <summary>Stream of the first frame. Streams 0…15 are the dataset's; other decisions about a sample take others.</summary>
    public const int StartStream = 0;

    /// <summary>Stream of the flip.</summary>
    public const int FlipStream = 1;

    private const ulong Golden = 0x9E3779B97F4A7C15;

    /// <summary>The numbers of a sample.</summary>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="position">Which sample of the run, from 0.</param>
    public static SampleDraw Of(ulong seed, long position) => new(Mix(Mix(seed + Golden) + Golden * (ulong)position));

    /// <summary>64 random bits.</summary>
    /// <param name="stream">Which decision they are for: numbers of different streams are independent.</param>
    public ulong Bits(int stream) => Mix(Key + Golden * ((ulong)stream + 1));

    /// <summary>A number in [0, 1), in steps of 2⁻⁵³.</summary>
    /// <param name="stream">Which decision it is for.</param>
    public double Uniform(int stream) => (Bits(stream) >> 11) * (1.0 / (1L << 53));

    /// <summary>A whole number in [0, <paramref name="count"/>).</summary>
    /// <param name="stream">Which decision it is for.</param>
    /// <param name="count">How many there are, at least 1.</param>
    public int Below(int stream, int count) => (int)(Uniform(stream) * count);

    /// <summary>A number from N(0, 1) made of two in [0, 1) (Box and Muller 1958), at most 8.6 in size.</summary>
    public static double Normal(double radius, double angle) => Math.Sqrt(-2 * Math.Log(1 - radius)) * Math.Cos(2 * Math.PI * angle);

    /// <summary>The output function of SplitMix64 (Steele, Lea, Flood 2014): every bit of the result depends on every bit of the argument.</summary>
    public static ulong Mix(ulong bits)
    {
        bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9;
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB;
        return bits ^ bits >> 31;
    }
}
