using System.Collections.Frozen;

namespace AnimateDiff.Weights;

/// <summary>What a name in a pickle stands for. Nothing is looked up anywhere else, and nothing is ever run.</summary>
internal enum PickleMeaning
{
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    RebuildFromType,
    TensorType,
    Storage,
    Size,
    Nothing,
}

/// <summary>A name that a pickle may use.</summary>
internal sealed record PickleGlobal(string Name, PickleMeaning Meaning, ScalarType DType = default);

/// <summary>The names that a checkpoint may use, all of them, and what comes out of "calling" them.</summary>
internal static class PickleGlobals
{
    private const int MaxRank = 16;

    private static readonly FrozenDictionary<string, PickleGlobal> Allowed = new PickleGlobal[]
    {
        new("collections.OrderedDict", PickleMeaning.OrderedDict),
        new("torch._utils._rebuild_tensor", PickleMeaning.RebuildTensor),
        new("torch._utils._rebuild_tensor_v2", PickleMeaning.RebuildTensor),
        new("torch._utils._rebuild_parameter", PickleMeaning.RebuildParameter),
        new("torch._tensor._rebuild_from_type_v2", PickleMeaning.RebuildFromType),
        new("torch.Tensor", PickleMeaning.TensorType),
        new("torch._tensor.Tensor", PickleMeaning.TensorType),
        new("torch.nn.parameter.Parameter", PickleMeaning.TensorType),
        new("torch.Size", PickleMeaning.Size),
        new("torch.storage.UntypedStorage", PickleMeaning.Storage, ScalarType.Byte),
        // Training state that checkpoints carry beside the weights: Stable Diffusion 1.x has Lightning's callbacks with a NumPy score, others hyper-parameters.
        new("torch.device", PickleMeaning.Nothing),
        new("torch.storage.TypedStorage", PickleMeaning.Nothing),
        new("__builtin__.set", PickleMeaning.Nothing),
        new("builtins.set", PickleMeaning.Nothing),
        new("_codecs.encode", PickleMeaning.Nothing),
        new("numpy.dtype", PickleMeaning.Nothing),
        new("numpy.core.multiarray.scalar", PickleMeaning.Nothing),
        new("numpy._core.multiarray.scalar", PickleMeaning.Nothing),
        new("pytorch_lightning.callbacks.early_stopping.EarlyStopping", PickleMeaning.Nothing),
        new("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint", PickleMeaning.Nothing),
        new("pytorch_lightning.utilities.parsing.AttributeDict", PickleMeaning.Nothing),
    }
    .Concat(WeightTypes.All.Select(type => new PickleGlobal($"torch.{type.Storage}", PickleMeaning.Storage, type.DType)))
    .Concat(WeightTypes.All.Select(type => new PickleGlobal($"torch.{type.Torch}", PickleMeaning.Nothing)))
    .ToFrozenDictionary(global => global.Name);

    /// <summary>The meaning of a name; every name that is not on the list is refused here, before anything is made of it.</summary>
    public static PickleGlobal Resolve(string path, string module, string name)
        => Allowed.GetValueOrDefault($"{module}.{name}")
            ?? throw new FileException(
                path,
                $"{path} asks to call {WeightFileBytes.Show($"{module}.{name}")}, which no tensor is made of: nothing of it was run or loaded; "
                + "get a safetensors version, or convert it to safetensors where you trust it.");

    /// <summary>What a call would have built.</summary>
    /// <exception cref="FormatException">The arguments are not what the function takes.</exception>
    public static object Build(PickleGlobal function, object?[] arguments) => (function.Meaning, arguments) switch
    {
        (PickleMeaning.Nothing, _) => PickledNothing.Value,
        (PickleMeaning.OrderedDict, []) => new PickledDict { Ordered = true },
        (PickleMeaning.Size, [object?[] sizes]) => sizes,
        (PickleMeaning.RebuildTensor, [PickledStorage storage, long offset, object?[] shape, object?[] stride, ..])
            => new PickledTensor(storage, offset, Numbers(shape), Numbers(stride)),
        (PickleMeaning.RebuildParameter, [PickledTensor data, ..]) => data,
        (PickleMeaning.RebuildFromType, [PickleGlobal inner, PickleGlobal { Meaning: PickleMeaning.TensorType }, object?[] innerArguments, ..])
            when inner.Meaning is PickleMeaning.RebuildTensor or PickleMeaning.RebuildParameter => Build(inner, innerArguments),
        _ => throw new FormatException($"calls {function.Name} with arguments that it does not take"),
    };

    /// <summary>
    /// The storage a persistent id stands for: <c>('storage', type, key, location, count)</c>; before PyTorch 1.6 a sixth part followed, None since 0.4.
    /// </summary>
    /// <exception cref="FormatException">It is something else.</exception>
    public static PickledStorage Storage(object? id) => id switch
    {
        object?[] and ["storage", PickleGlobal { Meaning: PickleMeaning.Storage } type, string key, string, long count, .. var view] when view is [] or [null]
            => count is >= 0 and <= long.MaxValue / 16
                ? new PickledStorage(type.DType, key, count)
                : throw new FormatException($"has a storage of {count} elements"),
        object?[] and ["storage", _, _, _, _, not null] => throw new FormatException("uses storage views of PyTorch versions before 0.4"),
        _ => throw new FormatException("refers to something outside it that is not the storage of a tensor"),
    };

    private static long[] Numbers(object?[] values)
        => values.Length <= MaxRank && Array.TrueForAll(values, value => value is long)
            ? Array.ConvertAll(values, value => (long)value!)
            : throw new FormatException($"has a tensor whose shape or stride is not made of up to {MaxRank} whole numbers");
}
