using System.Buffers.Binary;
using System.Numerics;

namespace AnimateDiff.Weights;

/// <summary>
/// The format of <c>torch.save</c> before PyTorch 1.6: five pickles one after the other (a magic number, 1001, the system, the value, the keys of the storages),
/// then each storage as its number of elements and its data.
/// </summary>
internal static class TorchCheckpointLegacy
{
    private static readonly BigInteger Magic = new([0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]);

    public static StateDict Open(WeightFileBytes file)
    {
        var bytes = new byte[Math.Min(file.Length, TorchCheckpoint.MaxPickle)];
        file.ReadExactly(0, bytes);
        var pickle = new PickleReader(file.Path, bytes);

        if (pickle.Read() is not BigInteger magic || magic != Magic)
            throw new FileException(file.Path, $"{file.Path} is a Python pickle that torch.save did not write; save its tensors as safetensors.");
        if (pickle.Read() is not 1001L)
            throw Damaged("is of an unknown version of the format");
        if (pickle.Read() is not PickledDict system || system.Items.Any(item => item is ("little_endian", false)))
            throw Damaged("was saved on a big-endian machine");
        var tree = new TorchCheckpointTree(file.Path, pickle.Read());
        if (pickle.Read() is not List<object?> keys)
            throw Damaged("lacks the list of its storages");

        var readers = new Dictionary<string, TorchCheckpoint.StorageReader>();
        long position = pickle.Position;
        foreach (var key in keys)
        {
            if (key is not string name || !pickle.Storages.TryGetValue(name, out var storage) || readers.ContainsKey(name))
                throw Damaged("lists a storage that no tensor uses, or one twice");
            readers.Add(name, Reader(file, ref position, storage));
        }
        if (readers.Count != pickle.Storages.Count)
            throw Damaged($"has {pickle.Storages.Count} storages and lists {readers.Count}");
        return TorchCheckpoint.ToStateDict(file, tree, readers, "PyTorch before 1.6");

        FileException Damaged(string what) => TorchCheckpointLegacy.Damaged(file, what);
    }

    private static TorchCheckpoint.StorageReader Reader(WeightFileBytes file, ref long position, PickledStorage storage)
    {
        Span<byte> count = stackalloc byte[8];
        file.ReadExactly(position, count);
        if (BinaryPrimitives.ReadInt64LittleEndian(count) is var found && found != storage.Count)
            throw Damaged(file, $"has a storage of {found} elements at byte {position} where {storage.Count} are expected");
        var start = position + 8;
        if (storage.ByteCount > file.Length - start)
            throw Damaged(file, $"ends at byte {file.Length}, before a storage of {storage.ByteCount} bytes that begins at byte {start}");
        position = start + storage.ByteCount;
        return (first, shape) => file.ReadTensor(start + first * WeightTypes.SizeOf(storage.DType), storage.DType, shape);
    }

    private static FileException Damaged(WeightFileBytes file, string what)
        => new(file.Path, $"{file.Path} {what}; download it again, or save it as safetensors.");
}
