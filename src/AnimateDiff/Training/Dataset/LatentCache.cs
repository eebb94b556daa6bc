using AnimateDiff.Vae;
using AnimateDiff.Video;
using AnimateDiff.Weights;

namespace AnimateDiff.Training.Dataset;

/// <summary>
/// The latents of a data set's entries on disk, one file each: mean and log-variance of every frame, so that frames and the draw of latents stay random. What is fixed is
/// the crop (the centre) and, which is why it is refused, the flip. A file's name holds what it was made from: another VAE or size makes other files.
/// </summary>
/// <param name="folder">Where the files are.</param>
/// <param name="set">The data set.</param>
/// <param name="vae">Fingerprint of the VAE.</param>
internal sealed class LatentCache(string folder, TrainingSet set, string vae)
{
    /// <summary>Encodes what is not there yet.</summary>
    /// <param name="encode">Frames to the distribution of their latents.</param>
    /// <param name="report">Told of progress and of entries that cannot be read.</param>
    /// <param name="cancellationToken">Looked at before each entry; what is encoded stays.</param>
    /// <returns>The entries that could be read.</returns>
    /// <exception cref="FileException">More than <see cref="DatasetOptions.MaxBadFraction"/> of the entries cannot be read.</exception>
    public IReadOnlyList<int> Fill(Func<VideoFrames, LatentDistribution> encode, Action<string> report, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        var readable = new List<int>();
        var told = TimeProvider.System.GetTimestamp();
        for (var entry = 0; entry < set.Count; entry++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var path = PathOf(entry);
            try
            {
                if (!File.Exists(path))
                {
                    var frames = set.ReadAllAsync(entry, cancellationToken).GetAwaiter().GetResult();
                    using var latents = encode(frames);
                    SafetensorsWriter.Write(path, [("mean", latents.Mean), ("log_variance", latents.LogVar)]);
                }
                readable.Add(entry);
            }
            catch (FileException error) when (error.Path != path && error.Path != "ffmpeg")
            {
                var bad = entry + 1 - readable.Count;
                report($"{set.Name(entry)} cannot be read: {error.Message}");
                if (bad > set.Options.MaxBadFraction * set.Count)
                    throw new FileException(error.Path, $"{bad} of {set.Count} entries cannot be read (data.max_bad_fraction is {set.Options.MaxBadFraction}); run 'animatediff dataset check' for all of them, remove them or raise the fraction.", error);
            }
            if (TimeProvider.System.GetElapsedTime(told).TotalSeconds > 10)
            {
                report($"Latents of {entry + 1} of {set.Count} entries are cached.");
                told = TimeProvider.System.GetTimestamp();
            }
        }
        return readable;
    }

    /// <summary>The frames of a sample: [F, 4, h, w] each, the caller's to dispose.</summary>
    public LatentDistribution Read(int entry, SampleDraw draw, Device device)
    {
        using var scope = NewDisposeScope();
        using var file = SafetensorsFile.Open(PathOf(entry));
        var (mean, variance) = (file["mean"].Read(), file["log_variance"].Read());
        var frames = set.Options.Camera is not null ? [.. Enumerable.Range(0, (int)mean.shape[0])]
            : TrainingSet.FrameIndices((int)mean.shape[0], set.Options.Frames, set.Options.Stride, draw, set.Options.Start);
        var index = tensor(frames.Select(frame => (long)frame).ToArray());
        return new(mean.index_select(0, index).to(device).MoveToOuterDisposeScope(), variance.index_select(0, index).to(device).MoveToOuterDisposeScope());
    }

    private string PathOf(int entry)
    {
        var options = set.Options;
        var made = options.Camera is null ? "" : $"{options.Camera} {options.CameraSpeed} {options.CameraEasing} {options.Frames} {options.Stride}";
        var text = FormattableString.Invariant($"{vae}|{set.Name(entry)}|{SignatureOf(entry)}|{options.Width}×{options.Height}|{made}");
        return Path.Combine(folder, FileFingerprints.NameFor(text) + ".safetensors");
    }

    private string SignatureOf(int entry)
    {
        var file = new FileInfo(set.Locate(entry));
        return file.Exists ? FormattableString.Invariant($"{file.Length} {file.LastWriteTimeUtc.Ticks}") : "";
    }
}
