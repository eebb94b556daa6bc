using AnimateDiff.Layers;
using AnimateDiff.Text;
using AnimateDiff.Weights;

namespace AnimateDiff.Training.Recipes;

/// <summary>
/// Captions → what the UNet attends to. A frozen text encoder reads every caption once, or, with a cache on disk, once for all runs; a trained one every time, with gradients.
/// </summary>
/// <param name="model">The text encoder.</param>
/// <param name="tokenizer">Its tokenizer.</param>
/// <param name="trained">Whether gradients are wanted.</param>
internal sealed class CaptionEncoder(ClipTextModel model, ITokenizer tokenizer, bool trained) : IDisposable
{
    private const long CacheBytes = 512L << 20;

    private readonly Dictionary<string, Tensor> _cache = [];
    private readonly int _length = Math.Min(tokenizer.MaxLength, model.Config.MaxPositionEmbeddings);
    private long _cached;

    /// <summary>Folder and fingerprint of the text encoder, where embeddings are kept on disk.</summary>
    public (string Folder, string Fingerprint)? Disk { get; set; }

    /// <summary>[B, L, D] of B captions, each cut after L − 2 tokens.</summary>
    public Tensor Encode(IReadOnlyList<string> captions)
    {
        using var scope = NewDisposeScope();
        if (trained)
            return Run(captions).MoveToOuterDisposeScope();
        return cat([.. captions.Select(Cached)]).MoveToOuterDisposeScope();
    }

    private Tensor Cached(string caption)
    {
        if (_cache.TryGetValue(caption, out var known))
            return known;
        using var _ = no_grad();
        var row = Disk is { } disk ? Kept(caption, disk.Folder, disk.Fingerprint) : Run([caption]);
        if (_cached < CacheBytes)
        {
            _cache.Add(caption, row.DetachFromDisposeScope());
            _cached += row.numel() * row.element_size();
        }
        return row;
    }

    private Tensor Kept(string caption, string folder, string fingerprint)
    {
        var path = Path.Combine(folder, $"text-{FileFingerprints.NameFor($"{fingerprint}|{caption}")}.safetensors");
        if (File.Exists(path))
        {
            using var file = SafetensorsFile.Open(path);
            return file["embeddings"].Read().Then(tensor => tensor.to(model.Device));
        }
        var row = Run([caption]);
        SafetensorsWriter.Write(path, [("embeddings", row)]);
        return row;
    }

    private Tensor Run(IReadOnlyList<string> captions)
    {
        var ids = new long[captions.Count * _length];
        Array.Fill(ids, tokenizer.PadId);
        foreach (var (row, caption) in captions.Index())
        {
            long[] tokens = [tokenizer.BeginId, .. tokenizer.Encode(caption).Take(_length - 2), tokenizer.EndId];
            tokens.CopyTo(ids, row * _length);
        }
        using var input = tensor(ids, [captions.Count, _length], device: model.Device);
        return model.call(input, 0, null);
    }

    public void Dispose()
    {
        foreach (var row in _cache.Values)
            row.Dispose();
    }
}
