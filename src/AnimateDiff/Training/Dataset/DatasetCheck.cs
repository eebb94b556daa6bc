using AnimateDiff.Video;

namespace AnimateDiff.Training.Dataset;

/// <summary>Reads every frame of a training set before a run does, and tells what is in it.</summary>
public static class DatasetCheck
{
    private const double StillMotion = 0.1;

    /// <summary>Checks a set. As many clips are read at once as there are cores; of each, two frames are held.</summary>
    /// <param name="paths">WebVid CSVs, JSONL files, folders of videos or images, single videos.</param>
    /// <param name="videoFolder">Where the videos of CSVs are; null when there is no CSV.</param>
    /// <param name="progress">Told after every entry.</param>
    /// <param name="cancellationToken">Stops between frames.</param>
    /// <exception cref="RequestException">There is no path, or no folder for the videos of a CSV.</exception>
    /// <exception cref="FileException">A path is missing, a list is damaged, there is no entry, or ffmpeg is missing. Entries that cannot be read are in the report.</exception>
    public static async Task<DatasetReport> RunAsync(
        IReadOnlyList<string> paths, string? videoFolder = null, IProgress<DatasetProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var set = await TrainingSet.OpenAsync(new DatasetOptions { Paths = paths, VideoFolder = videoFolder }, cancellationToken);
        var clips = new Clip[set.Count];
        var gate = new Lock();
        var (done, bad) = (0, 0);
        var options = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, set.Count, options, async (entry, token) =>
        {
            clips[entry] = await ReadAsync(set, entry, token);
            lock (gate)
                progress?.Report(new DatasetProgress(++done, set.Count, bad += clips[entry].Problem is null ? 0 : 1));
        });
        return Report(set, clips);
    }

    private static async Task<Clip> ReadAsync(TrainingSet set, int entry, CancellationToken cancellationToken)
    {
        var (measure, seconds, width, height) = (new ClipMeasure(), (double?)0.0, 0, 0);
        try
        {
            await VideoReader.CountFramesAsync(set.Locate(entry), cancellationToken);       // knows better reasons
            await foreach (var frame in VideoReader.StreamAsync(set.Locate(entry), cancellationToken: cancellationToken))
            {
                measure.Add(frame);
                seconds += frame.Seconds;
                (width, height) = (frame.Width, frame.Height);
            }
        }
        catch (FileException error) when (error.Path != "ffmpeg")
        {
            return new Clip(set.Name(entry), error.Message, 0, null, 0, 0, null, []);
        }
        return new Clip(set.Name(entry), null, measure.Frames, seconds > 0 ? seconds : null, width, height, measure.Motion, measure.Cuts());
    }

    private static DatasetReport Report(TrainingSet set, Clip[] clips)
    {
        var readable = clips.Where(clip => clip.Problem is null).ToList();
        var videos = readable.Where(clip => clip.Frames > 1).ToList();
        var timed = videos.Where(clip => clip.Seconds is not null).ToList();
        var captions = Enumerable.Range(0, set.Count).Select(set.Caption).ToList();
        var written = captions.Where(caption => caption.Length > 0).ToList();
        return new DatasetReport
        {
            Entries = set.Count,
            Readable = readable.Count,
            Videos = videos.Count,
            Images = readable.Count - videos.Count,
            Unreadable = [.. clips.Where(clip => clip.Problem is not null).Select(clip => new UnreadableEntry(clip.Name, clip.Problem!))],
            Frames = Spread.Of(videos.Select(clip => (double)clip.Frames)),
            Fps = Spread.Of(timed.Select(clip => Math.Round(clip.Frames / clip.Seconds!.Value, 3))),
            Width = Spread.Of(readable.Select(clip => (double)clip.Width)),
            Height = Spread.Of(readable.Select(clip => (double)clip.Height)),
            TotalSeconds = Math.Round(timed.Sum(clip => clip.Seconds!.Value), 3),
            MissingCaptions = captions.Count - written.Count,
            MeanCaptionWords = written.Count > 0 ? Math.Round(written.Average(Words), 2) : 0,
            LongestCaption = written.MaxBy(Words) ?? "",
            Motion = Spread.Of(videos.Select(clip => Math.Round(clip.Motion!.Value, 3))),
            StillClips = [.. videos.Where(clip => clip.Motion < StillMotion).Select(clip => clip.Name)],
            ClipsWithCuts = [.. videos.Where(clip => clip.Cuts.Count > 0).Select(clip => new ClipWithCuts(clip.Name, clip.Cuts))],
        };
    }

    private static double Words(string caption) => caption.Split(' ').Length;

    private sealed record Clip(
        string Name, string? Problem, int Frames, double? Seconds, int Width, int Height, double? Motion, IReadOnlyList<int> Cuts);
}
