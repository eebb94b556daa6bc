using System.Text.Json;

namespace AnimateDiff.Weights;

/// <summary>Weights cut into several files beside an index that says which tensor is where: <c>{"weight_map": {"name": "file"}}</c>.</summary>
internal static class ShardedWeights
{
    private const int MaxIndex = 16 << 20;

    public static StateDict Open(string indexPath)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(indexPath))!;
        var map = ReadMap(indexPath);
        var shards = new OpenShards();
        try
        {
            var tensors = new Dictionary<string, WeightTensor>(map.Count);
            var format = "";
            foreach (var shard in map.Values.Distinct().Order(StringComparer.Ordinal))
            {
                if (!File.Exists(Path.Combine(folder, shard)))
                    throw new FileException(indexPath, $"{indexPath} names the shard '{shard}', which is not beside it; download it too.");
                var part = WeightFile.Open(Path.Combine(folder, shard));
                shards.Add(part);
                format = part.Format;
                foreach (var (name, tensor) in part)
                    tensors[name] = map.GetValueOrDefault(name) == shard ? tensor : throw new FileException(
                        part.Path, $"{part.Path} holds '{WeightFileBytes.Show(name)}', which {indexPath} does not place there; download the folder again.");
            }
            if (map.Keys.FirstOrDefault(name => !tensors.ContainsKey(name)) is { } missing)
                throw new FileException(
                    indexPath, $"{indexPath} places '{WeightFileBytes.Show(missing)}' in '{map[missing]}', which does not hold it; download the folder again.");
            return new StateDict(folder, tensors, null, shards, $"{format} in {shards.Count} shards");
        }
        catch
        {
            shards.Dispose();
            throw;
        }
    }

    private static Dictionary<string, string> ReadMap(string path)
    {
        using var file = WeightFileBytes.Open(path);
        if (file.Length > MaxIndex)
            throw Damaged($"it has {file.Length} bytes, more than the {MaxIndex} of any index");
        var bytes = new byte[file.Length];
        file.ReadExactly(0, bytes);
        try
        {
            using var json = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = 16, AllowDuplicateProperties = false });
            var map = json.RootElement.GetProperty("weight_map").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetString()!);
            foreach (var shard in map.Values)
                if (string.IsNullOrEmpty(shard) || shard is "." or ".." || shard.AsSpan().ContainsAny('/', '\\', '\0'))
                    throw Damaged($"'{WeightFileBytes.Show(shard ?? "null")}' is not the name of a file beside it");
            return map.Count > 0 ? map : throw Damaged("its weight_map is empty");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw Damaged($"it is not JSON with a weight_map of names ({error.Message.TrimEnd('.')})", error);
        }

        FileException Damaged(string what, Exception? inner = null)
            => new(path, $"{path} is no index of weights: {what}; download it again.", inner);
    }

    private sealed class OpenShards : List<StateDict>, IDisposable
    {
        public void Dispose() => ForEach(shard => shard.Dispose());
    }
}
