using System.Collections.Concurrent;
using AnimateDiff.Video;

namespace AnimateDiff.Training.Dataset;

/// <summary>Videos or images with captions, in the order of their names. Can be read from several threads.</summary>
internal sealed class TrainingSet
{
    private readonly List<TrainingEntry> _entries;
    private readonly FrameSize _size;
    private readonly CameraMove? _camera;
    private readonly ConcurrentDictionary<int, int> _lengths = [];

    private TrainingSet(DatasetOptions options, List<TrainingEntry> entries)
    {
        (Options, _entries) = (options, entries);
        _camera = options.Camera is { } camera ? new CameraMove(camera, options.CameraSpeed, options.CameraEasing, options.Width, options.Height) : null;
        _size = _camera?.Picture ?? new FrameSize(options.Width, options.Height);
    }

    /// <summary>What the set was opened with.</summary>
    public DatasetOptions Options { get; }

    /// <summary>Number of entries, at least 1.</summary>
    public int Count => _entries.Count;

    /// <summary>Lists the entries and their captions; no video is opened yet.</summary>
    /// <exception cref="RequestException">An option is wrong.</exception>
    /// <exception cref="FileException">A path is missing, a list is damaged or lacks a column, or there is no entry.</exception>
    public static Task<TrainingSet> OpenAsync(DatasetOptions options, CancellationToken cancellationToken)
    {
        options.Validate();
        return Task.Run(() => new TrainingSet(options, EntryList.Find(options, cancellationToken)), cancellationToken);
    }

    /// <summary>The caption of an entry as it was written; empty when there is none.</summary>
    public string Caption(int entry) => Options.Caption ?? _entries[entry].Caption;

    /// <summary>The caption that belongs to <see cref="ReadAsync"/> with the same draw: of a mirrored clip, left and right are swapped.</summary>
    public string Caption(int entry, SampleDraw draw) => IsFlipped(draw) ? Captions.Mirrored(Caption(entry)) : Caption(entry);

    /// <summary>The name of an entry: its path in the folder or list.</summary>
    public string Name(int entry) => _entries[entry].Name;

    /// <summary>Where the file of an entry is.</summary>
    public string Locate(int entry) => _entries[entry].Locate();

    /// <summary>Whether a sample is mirrored.</summary>
    public bool IsFlipped(SampleDraw draw) => Options.Flip && draw.Uniform(SampleDraw.FlipStream) < 0.5;

    /// <summary>
    /// The frames of a clip that a sample takes, as the official dataset chooses them: evenly from the first to the last of a window of
    /// <c>min(length, (frames − 1)·stride + 1)</c> at a random place, rounded down. A short clip gives frames twice.
    /// </summary>
    /// <param name="length">Frames of the clip, at least 1.</param>
    /// <param name="frames">Frames of the sample, at least 1.</param>
    /// <param name="stride">Frames of the clip from one to the next, at least 1.</param>
    /// <param name="draw">Places the window, by <see cref="SampleDraw.StartStream"/>.</param>
    /// <param name="from">Where the window is instead, if not null: it begins with this frame.</param>
    /// <returns><paramref name="frames"/> numbers of frames from 0, ascending.</returns>
    public static int[] FrameIndices(int length, int frames, int stride, SampleDraw draw, int? from = null)
    {
        var window = (int)Math.Min(length - (from ?? 0), (frames - 1L) * stride + 1);
        var start = from ?? draw.Below(SampleDraw.StartStream, length - window + 1);
        var step = frames > 1 ? (window - 1) / (frames - 1.0) : 0;
        // numpy's linspace sets the last number itself, so that rounding cannot make it one less
        return [.. Enumerable.Range(0, frames).Select(i => i > 0 && i == frames - 1 ? start + window - 1 : (int)Math.Floor(i * step + start))];
    }

    /// <summary>One sample of an entry: scaled until the frame is covered, cropped around the centre, perhaps mirrored; or a made movement of the camera.</summary>
    /// <param name="entry">0…<see cref="Count"/>−1.</param>
    /// <param name="draw">Decides about the first frame and the flip.</param>
    /// <param name="cancellationToken">Stops between frames.</param>
    /// <returns><see cref="DatasetOptions.Frames"/> frames of <see cref="DatasetOptions.Width"/>×<see cref="DatasetOptions.Height"/>.</returns>
    /// <exception cref="FileException">The file is missing, damaged or no video, or has one frame where a video is needed.</exception>
    public async Task<VideoFrames> ReadAsync(int entry, SampleDraw draw, CancellationToken cancellationToken)
    {
        var indices = FrameIndices(await LengthAsync(entry, cancellationToken), Options.Frames, Options.Stride, draw, Options.Start);
        var frames = await ChosenAsync(Locate(entry), indices, cancellationToken);
        return _camera is not null ? _camera.Make(frames, Options.Frames) : IsFlipped(draw) ? Mirror(frames) : frames;
    }

    /// <summary>The frames of an entry's condition that belong to <see cref="ReadAsync"/> with the same draw: as many, at the same places, mirrored with them.</summary>
    /// <returns>Null where <see cref="DatasetOptions.Conditions"/> is not set.</returns>
    /// <exception cref="FileException">There is none of the entry's name, or it is damaged.</exception>
    public async Task<VideoFrames?> ReadConditionAsync(int entry, SampleDraw draw, CancellationToken cancellationToken)
    {
        if (Options.Conditions is not { } folder)
            return null;
        var path = ConditionFiles.Find(folder, Name(entry));
        var frames = await ChosenAsync(path, FrameIndices(await LengthAsync(entry, cancellationToken), Options.Frames, Options.Stride, draw, Options.Start), cancellationToken);
        return IsFlipped(draw) ? Mirror(frames) : frames;
    }

    /// <summary>Every frame of an entry, scaled and cropped as in <see cref="ReadAsync"/> and never mirrored; with a movement of the camera, the clip made.</summary>
    /// <exception cref="FileException">As in <see cref="ReadAsync"/>, or the clip is too long to be held in memory.</exception>
    public async Task<VideoFrames> ReadAllAsync(int entry, CancellationToken cancellationToken)
    {
        await LengthAsync(entry, cancellationToken);
        return _camera is not null ? await ReadAsync(entry, SampleDraw.Of(0, entry), cancellationToken)
            : (await VideoReader.ReadAsync(Locate(entry), _size, cancellationToken: cancellationToken)).Frames;
    }

    private async Task<int> LengthAsync(int entry, CancellationToken cancellationToken)
    {
        var path = Locate(entry);
        if (!_lengths.TryGetValue(entry, out var length))
            _lengths[entry] = length = await VideoReader.CountFramesAsync(path, cancellationToken);
        if (Options.Start is { } start ? length - start >= Options.Frames : length > 1 || Options.Frames == 1 || _camera is not null)
            return length;
        // ffprobe finds a frame in any file that is named as a picture
        await VideoReader.ReadAsync(path, maxFrames: 1, cancellationToken: cancellationToken);
        if (length > 1)
            throw new FileException(path, $"'{path}' has {length} frames, but samples have {Options.Frames} from frame {Options.Start} on; lower data.frames or data.start.");
        throw new FileException(path, $"'{path}' has one frame, but samples of {Options.Frames} frames need a video; set data.frames to 1 for images.");
    }

    /// <summary>Frames in the order of <paramref name="indices"/>, which may repeat. With a camera, an image is one frame.</summary>
    private async Task<VideoFrames> ChosenAsync(string path, int[] indices, CancellationToken cancellationToken)
    {
        int[] distinct = [.. indices.Distinct()];
        if (_camera is not null && distinct.Length == 1)
            indices = distinct;
        var size = _size.Height * _size.Width * 3;
        var pixels = new byte[(long)indices.Length * size];
        var at = 0;
        ReadOnlyMemory<byte> last = default;
        await foreach (var frame in VideoReader.StreamAsync(path, distinct, _size, cancellationToken))
        {
            last = frame.Pixels;
            for (var index = indices[at]; at < indices.Length && indices[at] == index; at++)
                last.Span.CopyTo(pixels.AsSpan(at * size));
        }
        // A packet without a frame of its own makes the count too large by one or two: then the last frame stands still, whatever was drawn.
        for (; at < indices.Length; at++)
            last.Span.CopyTo(pixels.AsSpan(at * size));
        return new VideoFrames(indices.Length, _size.Height, _size.Width, pixels);
    }

    private static VideoFrames Mirror(VideoFrames frames)
    {
        var pixels = frames.Pixels.ToArray();
        for (var row = 0; row < frames.Frames * frames.Height; row++)
            for (var (left, right) = (row * frames.Width * 3, ((row + 1) * frames.Width - 1) * 3); left < right; left += 3, right -= 3)
                for (var colour = 0; colour < 3; colour++)
                    (pixels[left + colour], pixels[right + colour]) = (pixels[right + colour], pixels[left + colour]);
        return new VideoFrames(frames.Frames, frames.Height, frames.Width, pixels);
    }
}
