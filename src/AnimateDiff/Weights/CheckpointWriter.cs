using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>Writes a conversion's output: files beside their final place and renamed, folders too, so that nobody ever sees half of one.</summary>
internal sealed class CheckpointWriter(string input, string output, ScalarType? dtype, bool overwrite)
{
    private static readonly IReadOnlyDictionary<string, string> PyTorch = new Dictionary<string, string> { ["format"] = "pt" };

    /// <summary>Writes the output as one file.</summary>
    /// <param name="weights">Its tensors.</param>
    /// <param name="metadata">Strings to keep in it.</param>
    /// <param name="keepType">Tensors that keep their type whatever was asked for.</param>
    public void WriteFile(StateDict weights, IReadOnlyDictionary<string, string>? metadata = null, Func<string, bool>? keepType = null)
    {
        if (!output.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
            throw new RequestException($"The output {output} is one file in this direction and must be called .safetensors, the only format written here: it cannot hold code.");
        if (Directory.Exists(output))
            throw new RequestException($"The output {output} is a folder, but one file is written in this direction; name a file.");
        RefuseExisting(File.Exists(output));
        if (Path.GetDirectoryName(Path.GetFullPath(output)) is { } folder)
            Directory.CreateDirectory(folder);
        Write(output, weights, metadata, keepType);
    }

    /// <summary>Writes the output as a folder that <paramref name="fill"/> fills under its temporary name.</summary>
    public void WriteFolder(Action<string> fill)
    {
        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(output));
        if (File.Exists(target) || Path.GetExtension(target) is ".safetensors" or ".ckpt" or ".pt" or ".bin")
            throw new RequestException($"The output {output} is a file, but the diffusers layout of a model is a folder; name a folder.");
        var exists = Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any();
        RefuseExisting(exists);
        if (exists && !File.Exists(Path.Combine(target, "config.json")) && !File.Exists(Path.Combine(target, "model_index.json")))
            throw new RequestException($"The output {output} is a folder that holds something else than a model, and is not replaced; name another one.");

        var partial = $"{target}.{Guid.NewGuid():N}.partial";
        try
        {
            Directory.CreateDirectory(partial);
            fill(partial);
            if (Directory.Exists(target))
                Directory.Delete(target, recursive: true);
            Directory.Move(partial, target);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new FileException(output, $"{output} cannot be written: {error.Message}", error);
        }
        finally
        {
            if (Directory.Exists(partial))
                Directory.Delete(partial, recursive: true);
        }
    }

    /// <summary>Writes a model's folder: weights and configuration.</summary>
    public void WriteModel(string folder, string weightsName, StateDict weights, string config)
    {
        Directory.CreateDirectory(folder);
        Write(Path.Combine(folder, weightsName), weights, metadata: null, keepType: null);
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
    }

    private void Write(string path, StateDict weights, IReadOnlyDictionary<string, string>? metadata, Func<string, bool>? keepType)
        => SafetensorsWriter.Write(
            path,
            weights.Select(entry => KeyValuePair.Create(entry.Key, keepType?.Invoke(entry.Key) == true ? entry.Value : Cast(entry.Key, entry.Value))),
            metadata is null ? PyTorch : new Dictionary<string, string>([.. PyTorch, .. metadata]));

    /// <summary>The tensor in the asked type; numbers too large for it are refused rather than made infinite.</summary>
    private WeightTensor Cast(string name, WeightTensor tensor)
    {
        if (dtype is not { } to || to == tensor.DType || !tensor.IsFloating())
            return tensor;
        return new WeightTensor(to, tensor.Shape, () =>
        {
            using var scope = NewDisposeScope();
            var raw = tensor.Read();
            var cast = raw.to(to);
            if (to == ScalarType.Float16 && !cast.isfinite().eq(raw.isfinite()).all().item<bool>())
                throw new FileException(input, $"{input}: '{name}' has values beyond 65504, which fp16 cannot hold; convert to bf16 or fp32 instead.");
            return cast.MoveToOuterDisposeScope();
        });
    }

    private void RefuseExisting(bool exists)
    {
        if (Path.GetFullPath(input) == Path.GetFullPath(output))
            throw new RequestException($"Input and output are both {input}; name another output.");
        if (exists && !overwrite)
            throw new RequestException($"The output {output} exists; name another one, or allow it to be overwritten.");
    }
}
