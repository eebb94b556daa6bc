using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace AnimateDiff.Weights;

/// <summary>A tensor of a weight file that has not been read yet.</summary>
/// <param name="DType">Type of the elements in the file.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Read">Reads it: a fresh contiguous CPU tensor of <paramref name="DType"/>, the caller's to dispose.</param>
public sealed record WeightTensor(ScalarType DType, IReadOnlyList<long> Shape, Func<Tensor> Read)
{
    /// <summary>Number of elements.</summary>
    public long ElementCount => Shape.Aggregate(1L, (product, size) => product * size);

    /// <summary>Number of bytes in the file.</summary>
    public long ByteCount => ElementCount * WeightTypes.SizeOf(DType);

    /// <summary>A tensor that is already in memory, as it is when it is read: keep <paramref name="tensor"/> alive until then.</summary>
    public static WeightTensor Of(Tensor tensor) => new(tensor.dtype, tensor.shape, () =>
    {
        using var _ = no_grad();
        using var own = tensor.detach();
        using var onCpu = own.cpu();
        using var contiguous = onCpu.contiguous();
        return contiguous.clone();
    });
}

/// <summary>
/// The named tensors of one or more weight files, read only when asked for: loading a model holds one tensor beside the model itself.
/// Layouts turn one state dict into another by renaming and wrapping, without reading anything.
/// </summary>
public sealed class StateDict : IReadOnlyDictionary<string, WeightTensor>, IDisposable
{
    private readonly IReadOnlyDictionary<string, WeightTensor> _tensors;
    private readonly IDisposable? _file;

    /// <summary>File or folder it comes from, for messages.</summary>
    public string Path { get; }

    /// <summary>File format it was read from, such as <c>safetensors</c> or <c>PyTorch zip</c>; <c>memory</c> for tensors that come from no file.</summary>
    public string Format { get; }

    /// <summary>String metadata of the file (safetensors' <c>__metadata__</c>, non-tensor strings and numbers of a pickle); empty where there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <param name="path">File or folder it comes from.</param>
    /// <param name="tensors">The tensors by name.</param>
    /// <param name="metadata">String metadata, or null for none.</param>
    /// <param name="file">What to dispose with it: the open file.</param>
    /// <param name="format">File format it was read from.</param>
    public StateDict(
        string path,
        IReadOnlyDictionary<string, WeightTensor> tensors,
        IReadOnlyDictionary<string, string>? metadata = null,
        IDisposable? file = null,
        string format = "memory")
        => (Path, _tensors, Metadata, _file, Format) = (path, tensors, metadata ?? new Dictionary<string, string>(), file, format);

    /// <summary>The tensors for which <paramref name="rename"/> gives a name, under that name. Shares the open file: keep the original alive.</summary>
    public StateDict Select(Func<string, string?> rename)
    {
        var renamed = new Dictionary<string, WeightTensor>(_tensors.Count);
        foreach (var (name, tensor) in _tensors)
            if (rename(name) is { } to && !renamed.TryAdd(to, tensor))
                throw new FileException(Path, $"{Path} has two tensors that both become '{to}' (the second is '{name}'); the file mixes two layouts.");
        return new StateDict(Path, renamed, Metadata, format: Format);
    }

    /// <inheritdoc/>
    public WeightTensor this[string key] => _tensors[key];
    /// <inheritdoc/>
    public IEnumerable<string> Keys => _tensors.Keys;
    /// <inheritdoc/>
    public IEnumerable<WeightTensor> Values => _tensors.Values;
    /// <inheritdoc/>
    public int Count => _tensors.Count;
    /// <inheritdoc/>
    public bool ContainsKey(string key) => _tensors.ContainsKey(key);
    /// <inheritdoc/>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out WeightTensor value) => _tensors.TryGetValue(key, out value);
    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, WeightTensor>> GetEnumerator() => _tensors.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Closes the file. Tensors already read stay.</summary>
    public void Dispose() => _file?.Dispose();
}
