namespace AnimateDiff;

/// <summary>
/// Operations with numbers whose <see cref="Scalar"/> lives until the native code has read it. TorchSharp makes one of a number in passing and lets go of
/// it before the native call: a garbage collection meanwhile frees it, and the operation fails or computes with another number. Its own operators and
/// conversions are therefore banned in the library; rarer operations name their number, <c>using Scalar half = 0.5.ToScalar()</c>, and long formulas are
/// written with <see cref="Operand"/>s.
/// </summary>
internal static class Scalars
{
    /// <summary>The weight of the second summand, of which TorchSharp's sums make a scalar each time.</summary>
    public static Scalar One { get; } = 1.ToScalar();

    /// <summary>x + y</summary>
    public static Tensor Add(this Tensor x, Tensor y) => x.add(y, One);

    /// <summary>x + number</summary>
    public static Tensor Add(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return x.add(scalar, One);
    }

    /// <summary>number · x</summary>
    public static Tensor Times(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return x.mul(scalar);
    }

    /// <summary>x / number</summary>
    public static Tensor Over(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return x.div(scalar);
    }

    /// <summary>1 − x</summary>
    public static Tensor OneMinus(this Tensor x) => x.negative().add(One, One);

    /// <summary>x²</summary>
    public static Tensor Square(this Tensor x) => x.mul(x);

    /// <summary>x, no less than <paramref name="min"/> and no more than <paramref name="max"/>.</summary>
    public static Tensor Clamp(this Tensor x, double min, double max)
    {
        using Scalar least = min.ToScalar(), most = max.ToScalar();
        return x.clamp(least, most);
    }

    /// <summary>Where x equals <paramref name="number"/>.</summary>
    public static Tensor EqualTo(this Tensor x, long number)
    {
        using var scalar = number.ToScalar();
        return x.eq(scalar);
    }

    /// <summary>Writes a number over x.</summary>
    public static Tensor Fill(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return x.fill_(scalar);
    }

    /// <summary>0, <paramref name="step"/>, 2·<paramref name="step"/>, … below <paramref name="stop"/>.</summary>
    public static Tensor Arange(long stop, long step = 1, ScalarType dtype = ScalarType.Int64, Device? device = null)
    {
        using Scalar from = 0.ToScalar(), to = stop.ToScalar(), by = step.ToScalar();
        return arange(from, to, by, dtype, device);
    }
}
