namespace AnimateDiff.Tests.Weights;

internal static class Bits
{
    /// <summary>Whether two tensors have one type, one shape and the same bits.</summary>
    public static bool Same(Tensor left, Tensor right)
    {
        using var scope = NewDisposeScope();
        return left.dtype == right.dtype && left.shape.SequenceEqual(right.shape) && left.detach().contiguous().bytes.SequenceEqual(right.detach().contiguous().bytes);
    }
}
