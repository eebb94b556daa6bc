namespace AnimateDiff.Weights;

/// <summary>
/// Checkpoints of <c>torch.save</c> (.ckpt, .pt, .pth, .bin). They are pickles, which are programs; here only the part of the language that builds tensors, dicts,
/// lists, numbers and texts is understood, and everything else is refused by name. Names are paths through the dicts: <c>state_dict.conv_in.weight</c>.
/// </summary>
public static class TorchCheckpoint
{
    /// <summary>Bytes of the pickle: that of a Stable Diffusion checkpoint with its optimizer has two million.</summary>
    internal const int MaxPickle = 32 << 20;

    /// <summary>A tensor whose elements share memory (<c>expand</c>) may be larger than the file; up to this it is believed.</summary>
    private const long MaxExpanded = 64 << 20;

    /// <summary>Opens a file of PyTorch 1.6 and later (zip) or before. Tensors are read when asked for.</summary>
    /// <exception cref="FileException">The file is missing, damaged, or asks for anything but tensors and plain values.</exception>
    public static StateDict Open(string path)
    {
        var file = WeightFileBytes.Open(path);
        try
        {
            Span<byte> start = stackalloc byte[(int)Math.Min(file.Length, 4)];
            file.ReadExactly(0, start);
            return start.StartsWith("PK\x3\x4"u8) ? OpenZip(file) : TorchCheckpointLegacy.Open(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    internal static StateDict OpenZip(WeightFileBytes file)
    {
        var archive = new TorchCheckpointZip(file);
        if (archive.Names.FirstOrDefault(name => name.EndsWith("/constants.pkl") || name.Contains("/code/")) is not null)
            throw new FileException(
                file.Path, $"{file.Path} is a TorchScript program (torch.jit.save), which would have to be run; save the state dict of the model instead.");
        if (archive.Names.Where(name => name.EndsWith("/data.pkl") && name.IndexOf('/') == name.Length - "/data.pkl".Length).ToArray() is not [var pickleName])
            throw archive.Damaged("it is a zip archive without the one data.pkl of torch.save");
        var root = pickleName[..^"data.pkl".Length];
        if (archive.Find(root + "byteorder") is { } order && !archive.ReadAll(order, 16).AsSpan().SequenceEqual("little"u8))
            throw new FileException(
                file.Path, $"{file.Path} was saved with a byte order other than 'little'; save it on a little-endian machine, or as safetensors.");

        var pickle = new PickleReader(file.Path, archive.ReadAll(archive.Find(pickleName)!, MaxPickle));
        var tree = new TorchCheckpointTree(file.Path, pickle.Read());
        var readers = new TorchCheckpointStorages(archive, file, root).Readers(pickle.Storages.Values);
        return ToStateDict(file, tree, readers, "PyTorch zip");
    }

    /// <summary>Reads a contiguous tensor that begins at element <paramref name="first"/> of a storage.</summary>
    internal delegate Tensor StorageReader(long first, IReadOnlyList<long> shape);

    internal static StateDict ToStateDict(WeightFileBytes file, TorchCheckpointTree tree, IReadOnlyDictionary<string, StorageReader> storages, string format)
    {
        var tensors = tree.Tensors.ToDictionary(entry => entry.Key, entry => ToWeight(file.Path, entry.Key, entry.Value, storages[entry.Value.Storage.Key]));
        return new StateDict(file.Path, tensors, tree.Metadata, file, format);
    }

    private static WeightTensor ToWeight(string path, string name, PickledTensor tensor, StorageReader read)
    {
        var (storage, offset, shape, stride) = tensor;
        if (shape.Length != stride.Length || WeightTypes.ElementCount(shape) is not { } count || stride.Any(step => step < 0))
            throw Wrong($"the shape [{string.Join(", ", shape)}] with the strides [{string.Join(", ", stride)}]");
        var span = count == 0 ? 0 : 1 + shape.Zip(stride, (size, step) => (Int128)(size - 1) * step).Aggregate((Int128)0, (sum, part) => sum + part);
        if (offset < 0 || offset + span > storage.Count)
            throw Wrong($"elements {offset} to {offset + span} of a storage of {storage.Count}");
        if (count > span && (Int128)count * WeightTypes.SizeOf(storage.DType) > MaxExpanded)
            throw Wrong($"{count} elements made of {span}");

        if (count == span && IsRowMajor(shape, stride))
            return new WeightTensor(storage.DType, shape, () => read(offset, shape));
        return new WeightTensor(storage.DType, shape, () =>
        {
            using var flat = read(offset, [(long)span]);
            using var view = flat.as_strided(shape, stride);
            return view.contiguous();
        });

        FileException Wrong(string what)
            => new(path, $"{path} is damaged: '{WeightFileBytes.Show(name)}' has {what}; download it again, or save it as safetensors.");
    }

    private static bool IsRowMajor(long[] shape, long[] stride)
    {
        long expected = 1;
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            if (shape[i] != 1 && stride[i] != expected)
                return false;
            expected *= shape[i];
        }
        return true;
    }
}
