namespace AnimateDiff.Weights;

/// <summary>A dict of a pickle, as written: order kept, repeated keys too.</summary>
internal sealed class PickledDict
{
    private List<(object? Key, object? Value)>? _items;

    public IReadOnlyList<(object? Key, object? Value)> Items => _items ?? [];

    /// <summary>Whether it is an OrderedDict, which may have attributes (PyTorch keeps versions of its layers there).</summary>
    public bool Ordered { get; init; }

    public void Add(object? key, object? value) => (_items ??= []).Add((key, value));
}

/// <summary>A storage: the flat memory of one or more tensors, kept outside the pickle under <paramref name="Key"/>.</summary>
internal sealed record PickledStorage(ScalarType DType, string Key, long Count)
{
    public long ByteCount => Count * WeightTypes.SizeOf(DType);
}

/// <summary>A view of a storage, in elements. What it says has not been checked.</summary>
internal sealed record PickledTensor(PickledStorage Storage, long Offset, long[] Shape, long[] Stride);

/// <summary>Something that is allowed in a checkpoint and of no use here, such as a training callback: it takes whatever is put into it and keeps nothing.</summary>
internal sealed class PickledNothing
{
    public static readonly PickledNothing Value = new();
}
