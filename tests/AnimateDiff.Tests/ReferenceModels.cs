using System.Text.Json;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests;

/// <summary>Reference models in layouts that the repository does not hold because they follow from those it does.</summary>
internal static class ReferenceModels
{
    private static readonly string Folder = Directory.CreateTempSubdirectory("animatediff-models-").FullName;
    private static readonly Dictionary<string, Lazy<string>> Motions = new[] { "v1", "v2", "v3" }.ToDictionary(version => version, version => new Lazy<string>(() =>
    {
        var folder = Path.Combine(Folder, $"motion-{version}-diffusers");
        CheckpointConverter.Convert(OfficialMotion(version), folder, ConversionTarget.Diffusers, ScalarType.Float16);
        return folder;
    }));

    static ReferenceModels() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(Folder, recursive: true);

    /// <summary>A motion module as the official code stores it: position encoding in fp32.</summary>
    public static string OfficialMotion(string version) => Goldens.Model(version == "v2" ? "motion-v2.safetensors" : $"motion-{version}.ckpt");

    /// <summary>The same as the diffusers folder of the references, which has the position encoding in fp16 and computes with that.</summary>
    public static string DiffusersMotion(string version) => Motions[version].Value;

    /// <summary>Copies the base model, with a vocabulary of its own, which the repository's does not have.</summary>
    public static void CopyBase(string to, TempFolder vocabulary)
    {
        var model = Goldens.Model("nano-sd15");
        foreach (var file in Directory.EnumerateFiles(model, "*", SearchOption.AllDirectories))
        {
            var path = Path.Combine(to, Path.GetRelativePath(model, file));
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.Copy(file, path);
        }
        foreach (var name in new[] { "vocab.json", "merges.txt" })
            File.Copy(vocabulary[name], Path.Combine(to, "tokenizer", name), overwrite: true);
    }

    /// <summary>A case's JSON, in which Python writes infinities bare.</summary>
    public static JsonElement Settings(string name) => JsonDocument.Parse(Goldens.CaseJson(name).Replace("-Infinity", "\"-Infinity\"")).RootElement;
}
