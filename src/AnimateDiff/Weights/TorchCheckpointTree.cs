using System.Globalization;
using System.Numerics;

namespace AnimateDiff.Weights;

/// <summary>
/// What a checkpoint's pickle built, as names and values: <c>{'state_dict': {'a.b': tensor}, 'epoch': 3}</c> becomes the tensor <c>state_dict.a.b</c> and the
/// text <c>epoch</c>.
/// </summary>
internal sealed class TorchCheckpointTree
{
    // A pickle can refer to one list from many places, so that a small file can make an endless tree.
    private const int MaxDepth = 64, MaxNodes = 1_000_000, MaxTensors = 100_000, MaxTexts = 10_000, MaxName = 1024;

    private readonly string _path;
    private readonly List<string> _names = [];
    private int _nodes;

    public Dictionary<string, PickledTensor> Tensors { get; } = [];

    /// <summary>Numbers and texts beside the tensors: the epoch, a config; the first 10,000, for what follows is training history.</summary>
    public Dictionary<string, string> Metadata { get; } = [];

    public TorchCheckpointTree(string path, object? root)
    {
        _path = path;
        if (root is not (PickledDict or List<object?> or object?[]))
            throw Damaged("it holds a single value");
        Visit(root);
        if (Tensors.Count == 0)
            throw Damaged("there is no tensor in it");
    }

    private void Visit(object? value)
    {
        if (++_nodes > MaxNodes || _names.Count > MaxDepth)
            throw Damaged($"its contents are nested in a way no model is (more than {MaxNodes} values or {MaxDepth} levels)");
        switch (value)
        {
            case PickledTensor tensor:
                if (!Tensors.TryAdd(Name(), tensor))
                    throw Damaged($"it holds two tensors named '{WeightFileBytes.Show(Name())}'");
                if (Tensors.Count > MaxTensors)
                    throw Damaged($"it holds more than {MaxTensors} tensors");
                break;
            case PickledDict dict:
                foreach (var (key, child) in dict.Items)
                    if (key is string or long or bool)
                        Visit(Convert.ToString(key, CultureInfo.InvariantCulture)!, child);
                break;
            case IReadOnlyList<object?> list:
                for (var i = 0; i < list.Count; i++)
                    Visit(i.ToString(CultureInfo.InvariantCulture), list[i]);
                break;
            case string or long or double or bool or BigInteger when Metadata.Count < MaxTexts:
                Metadata.TryAdd(Name(), Convert.ToString(value, CultureInfo.InvariantCulture)!);
                break;
        }
    }

    private void Visit(string name, object? value)
    {
        _names.Add(name);
        Visit(value);
        _names.RemoveAt(_names.Count - 1);
    }

    private string Name()
        => _names.Sum(name => name.Length + 1L) <= MaxName ? string.Join('.', _names) : throw Damaged($"it has a name of more than {MaxName} letters");

    private FileException Damaged(string what)
        => new(_path, $"{_path} is no checkpoint that can be read: {what}; give the weights of a model, saved as a dict of named tensors.");
}
