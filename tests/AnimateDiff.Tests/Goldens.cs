using AnimateDiff.Weights;

namespace AnimateDiff.Tests;

/// <summary>Reference numbers: tests/goldens of this repository, and the full set beside it (with the CLIP vocabulary, which is not ours to ship).</summary>
internal static class Goldens
{
    private static readonly string Root = FindRoot();

    /// <summary>The full set, or null: <c>ANIMATEDIFF_GOLDENS</c>, else <c>shared/goldens</c> beside the repository.</summary>
    public static string? Shared { get; } = FindShared();

    /// <summary>Root of the repository.</summary>
    public static string Repository => Root;

    /// <summary>
    /// Whether this machine computes with other kernels than the references' (AVX-512): their roundings differ, which shows where tiny images multiply them
    /// (<see cref="Parity.UNetParityTests"/>).
    /// </summary>
    public static bool OtherKernels { get; } = !System.Runtime.Intrinsics.X86.Avx512F.IsSupported || Environment.GetEnvironmentVariable("ATEN_CPU_CAPABILITY") is not null;

    /// <summary>A file or folder of the reference models.</summary>
    public static string Model(string name) => Find(Path.Combine("models", name));

    /// <summary>The tensors of a reference case.</summary>
    public static StateDict Case(string name) => SafetensorsFile.Open(Find(Path.Combine("cases", name + ".safetensors")));

    /// <summary>A file or folder beside the reference cases, such as their pictures.</summary>
    public static string CaseFile(string name) => Find(Path.Combine("cases", name));

    /// <summary>The parameters of a reference case.</summary>
    public static string CaseJson(string name) => File.ReadAllText(Find(Path.Combine("cases", name + ".json")));

    /// <summary>Largest absolute difference between two tensors of one shape, as a number.</summary>
    public static double Difference(Tensor actual, Tensor expected)
    {
        Assert.Equal(expected.shape, actual.shape);
        return (actual.to(ScalarType.Float64) - expected.to(ScalarType.Float64)).abs().max().item<double>();
    }

    private static string Find(string relative)
    {
        foreach (var root in new[] { Path.Combine(Root, "tests", "goldens"), Shared })
            if (root is not null && Path.Combine(root, relative) is var path && Path.Exists(path))
                return path;
        throw new FileNotFoundException($"No golden {relative} in tests/goldens nor in {Shared ?? "ANIMATEDIFF_GOLDENS"}.");
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "AnimateDiff.slnx")))
            folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("The tests run from inside the repository.");
        return folder;
    }

    private static string? FindShared()
    {
        var path = Environment.GetEnvironmentVariable("ANIMATEDIFF_GOLDENS") ?? Path.Combine(Root, "..", "shared", "goldens");
        return Directory.Exists(path) ? Path.GetFullPath(path) : null;
    }
}
