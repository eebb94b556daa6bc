namespace AnimateDiff.Weights.Layouts;

/// <summary>Changes of a tensor that happen when it is read.</summary>
internal static class LazyTensors
{
    /// <summary>The same elements in another shape.</summary>
    public static WeightTensor Reshape(this WeightTensor tensor, params long[] shape) => tensor.Changed(tensor.DType, shape, raw => raw.reshape(shape));

    /// <summary>Size of a dimension; 0 where the tensor, of a damaged or foreign file, has fewer.</summary>
    public static long Size(this WeightTensor? tensor, int dimension) => tensor is not null && dimension < tensor.Shape.Count ? tensor.Shape[dimension] : 0;

    /// <summary>Whether the elements are floating point numbers.</summary>
    public static bool IsFloating(this WeightTensor tensor)
        => tensor.DType is ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64;

    /// <summary>Rows <paramref name="start"/> to <paramref name="start"/> + <paramref name="count"/> of the first dimension.</summary>
    public static WeightTensor Rows(this WeightTensor tensor, long start, long count)
        => tensor.Changed(tensor.DType, [count, .. tensor.Shape.Skip(1)], raw => raw.narrow(0, start, count));

    /// <summary>The transpose of a matrix.</summary>
    public static WeightTensor Transpose(this WeightTensor tensor) => tensor.Changed(tensor.DType, [.. tensor.Shape.Reverse()], raw => raw.t());

    /// <summary>The tensors on top of each other in the first dimension.</summary>
    public static WeightTensor Stack(params WeightTensor[] tensors)
        => new(tensors[0].DType, [tensors.Sum(tensor => tensor.Shape[0]), .. tensors[0].Shape.Skip(1)], () =>
        {
            using var scope = NewDisposeScope();
            return cat([.. tensors.Select(tensor => tensor.Read())]).MoveToOuterDisposeScope();
        });

    private static WeightTensor Changed(this WeightTensor tensor, ScalarType dtype, IReadOnlyList<long> shape, Func<Tensor, Tensor> change)
        => new(dtype, shape, () =>
        {
            using var scope = NewDisposeScope();
            return change(tensor.Read()).contiguous().clone().MoveToOuterDisposeScope();
        });
}
