using System.Text;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>The build's treatment of libLibTorchSharp.so (build/NativeRuntime.targets).</summary>
public class NativeRuntimeTests
{
    private static readonly string Built = Path.Combine(AppContext.BaseDirectory, "libLibTorchSharp.so");

    [Fact]
    public void Native_library_loads() => Assert.Equal(6f, ones(2, 3).sum().item<float>());

    [Fact]
    public void Library_is_patched_only_where_the_systems_libstdcpp_is_too_old()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only libLibTorchSharp.so needs it.");
        var differences = Differences(File.ReadAllBytes(PackagedLibrary()), File.ReadAllBytes(Built));
        if (SystemKnows("GLIBCXX_3.4.32"))
            Assert.Empty(differences);
        else
            Assert.Equal([(Was: 0, Is: 2), (Was: 0x12, Is: 0x22)], differences.OrderBy(difference => difference.Was)); // VER_FLG_WEAK; STB_GLOBAL FUNC → STB_WEAK FUNC
    }

    [Fact]
    public void Large_native_libraries_are_links()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Elsewhere they are copied.");
        Assert.NotNull(new FileInfo(Path.Combine(AppContext.BaseDirectory, "libtorch_cpu.so")).LinkTarget);
    }

    private static List<(int Was, int Is)> Differences(byte[] packaged, byte[] built)
    {
        Assert.Equal(packaged.Length, built.Length);
        return [.. packaged.Zip(built).Where(pair => pair.First != pair.Second).Select(pair => ((int)pair.First, (int)pair.Second))];
    }

    private static string PackagedLibrary()
    {
        var libtorch = new FileInfo(Path.Combine(AppContext.BaseDirectory, "libtorch_cpu.so")).LinkTarget!;
        var packages = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(libtorch)!, "..", "..", "..", "..", ".."));
        return Directory.GetFiles(Path.Combine(packages, "torchsharp"), "libLibTorchSharp.so", SearchOption.AllDirectories).Single(path => path.Contains("/0.107.0/"));
    }

    private static bool SystemKnows(string version)
    {
        string[] folders = ["/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64", "/usr/lib"];
        var library = folders.Select(folder => Path.Combine(folder, "libstdc++.so.6")).First(File.Exists);
        return Encoding.ASCII.GetString(File.ReadAllBytes(library)).Contains(version + '\0');
    }
}
