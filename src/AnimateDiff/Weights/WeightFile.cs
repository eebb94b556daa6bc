using System.Buffers.Binary;
using System.Text;

namespace AnimateDiff.Weights;

/// <summary>Opens weights by what a file holds, whatever it is called, and by the names that diffusers and transformers give the files of a folder.</summary>
public static class WeightFile
{
    /// <summary>Opens a safetensors file or a PyTorch checkpoint; tensors are read when asked for.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileException">The file is missing, is something else, is damaged, or asks to run code.</exception>
    public static StateDict Open(string path)
    {
        var file = WeightFileBytes.Open(path);
        try
        {
            Span<byte> head = stackalloc byte[(int)Math.Min(file.Length, 256)];
            file.ReadExactly(0, head);
            if (IsSafetensors(head))
                return SafetensorsFile.Open(file);
            if (head.StartsWith("PK\x3\x4"u8))
                return TorchCheckpoint.OpenZip(file);
            if (head is [0x80, >= 2 and <= 5, ..])
                return TorchCheckpointLegacy.Open(file);
            if (NotWeights(head) is { } what)
                throw new FileException(path, $"{path} {what}.");
            if (path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
                return SafetensorsFile.Open(file);
            throw new FileException(
                path,
                $"{path} begins with the bytes {Convert.ToHexStringLower(head[..Math.Min(head.Length, 8)])} "
                + "and is neither a safetensors file nor a PyTorch checkpoint; download it again.");
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Opens the weights in a model folder: <c>STEM.safetensors</c> or <c>STEM.bin</c>, whole or in shards with an index, with or without a variant such as
    /// <c>fp16</c>. Safetensors come before checkpoints, whole files before shards.
    /// </summary>
    /// <param name="folder">Folder of one model, such as <c>unet</c>.</param>
    /// <param name="stem"><c>diffusion_pytorch_model</c>, or <c>model</c> for a text encoder, whose checkpoints are called <c>pytorch_model</c>.</param>
    /// <param name="variant">Variant to prefer over the plain files; null prefers the plain files over fp16.</param>
    /// <exception cref="FileException">There is none of these files, or one is damaged.</exception>
    public static StateDict OpenFolder(string folder, string stem, string? variant = null)
    {
        if (!Directory.Exists(folder))
            throw new FileException(folder, $"{folder} is not a folder; expected one with {stem}.safetensors in it.");
        string?[] variants = variant is null ? [null, "fp16"] : [variant, null];
        var checkpointStem = stem == "model" ? "pytorch_model" : stem;
        string[] names =
        [
            .. variants.SelectMany(part => Candidates(stem, "safetensors", part)),
            .. variants.SelectMany(part => Candidates(checkpointStem, "bin", part)),
        ];
        var found = names.FirstOrDefault(name => File.Exists(Path.Combine(folder, name)))
            ?? throw new FileException(folder, $"{folder} holds no weights; looked for {string.Join(", ", names)}.");
        var path = Path.Combine(folder, found);
        return found.EndsWith(".json") ? ShardedWeights.Open(path) : Open(path);
    }

    /// <summary>
    /// The names one set of weights can have; diffusers and transformers put a variant before the last part of the index's name, older files after the stem.
    /// </summary>
    private static string[] Candidates(string stem, string extension, string? variant) => variant is null
        ? [$"{stem}.{extension}", $"{stem}.{extension}.index.json"]
        : [$"{stem}.{variant}.{extension}", $"{stem}.{extension}.index.{variant}.json", $"{stem}.{variant}.{extension}.index.json"];

    private static bool IsSafetensors(ReadOnlySpan<byte> head)
        => head.Length > 8 && head[8] == '{' && BinaryPrimitives.ReadUInt64LittleEndian(head) <= SafetensorsHeader.MaxLength;

    /// <summary>What people have instead of weights when a download goes wrong.</summary>
    private static string? NotWeights(ReadOnlySpan<byte> head)
    {
        var text = Encoding.UTF8.GetString(head).TrimStart('\uFEFF', ' ', '\t', '\r', '\n');
        if (text.StartsWith("version https://git-lfs", StringComparison.Ordinal))
            return "is a git-lfs pointer, not the weights it stands for; run 'git lfs pull' in its folder, or download the file itself";
        if (Array.Exists(["<!", "<html", "<?xml"], start => text.StartsWith(start, StringComparison.OrdinalIgnoreCase)))
            return "is a web page, most likely the error page of a download; open it in an editor to see what the server said, and download the file again";
        if (text.StartsWith("GGUF", StringComparison.Ordinal))
            return "is a GGUF file, whose quantised weights are not supported; get a safetensors version";
        if (text.StartsWith('{') || text.StartsWith('['))
            return "is JSON, not weights: a config, an index or the error message of a server; name the weight file itself";
        return null;
    }
}
