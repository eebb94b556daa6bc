namespace AnimateDiff.Weights;

/// <summary>The safetensors format: 8-byte header length, JSON header, data (https://github.com/huggingface/safetensors#format).</summary>
public static class SafetensorsFile
{
    /// <summary>Opens a file; tensors are read straight into their own memory when asked for.</summary>
    /// <exception cref="FileException">The file is missing, or damaged in a way that its header and length show.</exception>
    public static StateDict Open(string path)
    {
        var file = WeightFileBytes.Open(path);
        try
        {
            return Open(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    internal static StateDict Open(WeightFileBytes file)
    {
        var header = SafetensorsHeader.Read(file);
        var tensors = new Dictionary<string, WeightTensor>(header.Tensors.Count);
        foreach (var (name, dtype, shape, start, _) in header.Tensors)
            tensors.Add(name, new WeightTensor(dtype, shape, () => file.ReadTensor(header.DataStart + start, dtype, shape)));
        return new StateDict(file.Path, tensors, header.Metadata, file, "safetensors");
    }
}
