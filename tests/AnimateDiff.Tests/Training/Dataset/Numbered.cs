using AnimateDiff.Training.Dataset;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Training.Dataset;

/// <summary>Clips whose frames tell their own numbers by their grey: frame n is 4n.</summary>
internal static class Numbered
{
    public static VideoFrames Clip(int frames, int width = 32, int height = 32) =>
        new(frames, height, width, [.. Enumerable.Range(0, frames).SelectMany(frame => Enumerable.Repeat((byte)(frame * 4), width * height * 3))]);

    /// <summary>The numbers of the frames, also after a lossy codec.</summary>
    public static int[] Of(VideoFrames frames) => [.. Enumerable.Range(0, frames.Frames).Select(frame => Of(frames[frame]))];

    public static Task WriteAsync(string path, int frames, int width = 32, int height = 32, double fps = 8) =>
        VideoWriter.WriteAsync(path, Clip(frames, width, height), fps, "{}");

    public static DatasetOptions Options(params string[] paths) => new() { Paths = paths, Width = 16, Height = 16, Frames = 4, Stride = 2 };

    public static Task<TrainingSet> OpenAsync(params string[] paths) => OpenAsync(Options(paths));

    public static Task<TrainingSet> OpenAsync(DatasetOptions options) => TrainingSet.OpenAsync(options, TestContext.Current.CancellationToken);

    public static string[] Names(TrainingSet set) => [.. Enumerable.Range(0, set.Count).Select(set.Name)];

    public static string[] Captions(TrainingSet set) => [.. Enumerable.Range(0, set.Count).Select(set.Caption)];

    private static int Of(ReadOnlySpan<byte> pixels)
    {
        var sum = 0.0;
        foreach (var value in pixels)
            sum += value;
        return (int)Math.Round(sum / pixels.Length / 4);
    }
}
