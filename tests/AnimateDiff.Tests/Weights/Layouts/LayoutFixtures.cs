using System.Security.Cryptography;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Weights.Layouts;

/// <summary>A folder of its own for a test, gone afterwards.</summary>
internal sealed class Scratch : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("animatediff-layouts-").FullName;

    public string this[string name] => Path.Combine(_root, name);

    public bool IsClean(params string[] expected)
        => Directory.EnumerateFileSystemEntries(_root).Select(Path.GetFileName).Order().SequenceEqual(expected.Order());

    public void Dispose() => Directory.Delete(_root, recursive: true);
}

internal static class LayoutFixtures
{
    /// <summary>Every tensor as <c>name dtype [shape] sha256</c>, as tests/goldens/names/hash_safetensors.py prints them.</summary>
    public static string[] Lines(StateDict file) => [.. file.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => Line(entry.Key, entry.Value))];

    public static string[] Lines(string path)
    {
        using var file = ModelFolder.Open(path);
        return Lines(file);
    }

    public static string[] Golden(string name) => File.ReadAllLines(Path.Combine(Goldens.Repository, "tests", "goldens", "names", name + ".txt"));

    /// <summary>Tensors that have names, types and shapes only: reading one fails, so a test that passes has read none.</summary>
    public static StateDict Unread(IEnumerable<(string Name, long[] Shape)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
        => new("synthetic.safetensors",
            tensors.ToDictionary(tensor => tensor.Name, tensor => new WeightTensor(ScalarType.Float16, tensor.Shape, () => throw new InvalidOperationException($"{tensor.Name} was read."))), metadata);

    /// <summary>Small tensors that differ from each other, to write and to compare.</summary>
    public static StateDict Numbered(IEnumerable<(string Name, long[] Shape)> tensors, ScalarType dtype = ScalarType.Float16, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var seed = 0;
        return new StateDict("numbered.safetensors", tensors.ToDictionary(tensor => tensor.Name, tensor =>
        {
            var start = ++seed;
            var size = tensor.Shape.Aggregate(1L, (product, length) => product * length);
            return new WeightTensor(dtype, tensor.Shape, () => arange(start, start + size, ScalarType.Float32).reshape(tensor.Shape).to(dtype));
        }), metadata);
    }

    private static string Line(string name, WeightTensor tensor)
    {
        using var value = tensor.Read();
        var type = tensor.DType switch { ScalarType.Float16 => "F16", ScalarType.BFloat16 => "BF16", ScalarType.Float32 => "F32", var other => other.ToString() };
        Assert.Equal(tensor.Shape, value.shape);
        Assert.Equal(tensor.DType, value.dtype);
        return $"{name} {type} [{string.Join(", ", tensor.Shape)}] {System.Convert.ToHexStringLower(SHA256.HashData(value.bytes))}";
    }
}
