namespace AnimateDiff.Weights;

/// <summary>The storages of a checkpoint archive: one entry each, stored as it is (which is how PyTorch writes them) or compressed by a later hand.</summary>
internal sealed class TorchCheckpointStorages(TorchCheckpointZip archive, WeightFileBytes file, string root)
{
    /// <summary>Weights hardly compress; what unpacks to more than this many times the file is no model.</summary>
    private const long MaxExpansion = 4, ExpansionAllowance = 64 << 20;

    /// <summary>How each storage is read, after a look at all of them: present, of the size that the pickle says, and none within another.</summary>
    public Dictionary<string, TorchCheckpoint.StorageReader> Readers(IEnumerable<PickledStorage> storages)
    {
        var readers = new Dictionary<string, TorchCheckpoint.StorageReader>();
        var places = new List<(long Start, long End, string Name)>();
        long unpacked = 0;
        foreach (var storage in storages)
        {
            var name = $"{root}data/{storage.Key}";
            if (archive.Find(name) is not { } entry)
                throw archive.Damaged($"'{WeightFileBytes.Show(name)}', the data of a tensor, is not in it");
            if (entry.Size != storage.ByteCount)
                throw archive.Damaged($"'{WeightFileBytes.Show(name)}' has {entry.Size} bytes and its tensor {storage.ByteCount}");
            var start = archive.DataStart(entry);
            places.Add((start, start + entry.StoredSize, name));
            readers.Add(storage.Key, entry.Deflated ? Packed(entry, start, storage) : Stored(start, storage));
            if (entry.Deflated && (unpacked += Math.Min(entry.Size, long.MaxValue / 4)) > MaxExpansion * file.Length + ExpansionAllowance)
                throw archive.Damaged($"it unpacks to more than {unpacked} bytes, far more than weights of {file.Length} bytes can");
        }
        places.Sort();
        for (var i = 1; i < places.Count; i++)
            if (places[i].Start < places[i - 1].End)
                throw archive.Damaged($"'{WeightFileBytes.Show(places[i].Name)}' lies within '{WeightFileBytes.Show(places[i - 1].Name)}'");
        return readers;
    }

    private TorchCheckpoint.StorageReader Stored(long start, PickledStorage storage)
        => (first, shape) => file.ReadTensor(start + first * WeightTypes.SizeOf(storage.DType), storage.DType, shape);

    private TorchCheckpoint.StorageReader Packed(TorchCheckpointZip.Entry entry, long start, PickledStorage storage) => (first, shape) =>
    {
        using var inflated = archive.Inflate(entry, start);
        inflated.Skip(first * WeightTypes.SizeOf(storage.DType));
        return file.FillTensor(storage.DType, shape, inflated.Fill);
    };
}
