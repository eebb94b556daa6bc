using System.Globalization;
using System.Text.RegularExpressions;

namespace AnimateDiff.Video;

/// <summary>
/// A folder of <c>000.png</c>, <c>001.png</c> … and <c>run.json</c>. The frames are written into a hidden folder inside and moved out when all are there.
/// A folder with an earlier run is taken over whole, so that no frame of a longer clip stays behind; one with any other file is refused, because
/// nothing tells somebody's own <c>000.png</c> from ours but the recipe inside.
/// </summary>
internal static partial class FolderWriter
{
    public const string RecipeFile = "run.json";

    public static Task WriteAsync(string path, EncodeJob job) => OutputFile.TranslateAsync(path, () => Task.Run(
        () =>
        {
            var created = !Directory.Exists(path);
            var folder = Directory.CreateDirectory(path).FullName;
            var staging = Path.Combine(folder, OutputFile.TemporaryName());
            var done = false;
            try
            {
                RefuseForeignFiles(path);
                Directory.CreateDirectory(staging);
                WriteFrames(staging, job);
                job.Cancellation.ThrowIfCancellationRequested();
                Replace(folder, staging);
                done = true;
            }
            finally
            {
                if (Directory.Exists(staging))
                    Directory.Delete(staging, recursive: true);
                if (created && !done)
                    Directory.Delete(folder, recursive: false);
            }
        },
        job.Cancellation));

    /// <exception cref="FileException">The folder holds something other than an earlier run.</exception>
    public static void RefuseForeignFiles(string path)
    {
        var foreign = Directory.EnumerateFileSystemEntries(path)
            .Where(entry => !IsOurs(entry)).Select(Path.GetFileName).Order(StringComparer.Ordinal).ToList();
        if (foreign.Count > 0)
            throw new FileException(path,
                $"The folder '{path}' holds {foreign.Count} file(s) that are not of an earlier run "
                + $"({string.Join(", ", foreign.Take(3))}{(foreign.Count > 3 ? " …" : "")}); name a new or empty folder.");
    }

    private static void WriteFrames(string staging, EncodeJob job)
    {
        var digits = Math.Max(3, (job.Frames.Frames - 1).ToString(CultureInfo.InvariantCulture).Length);
        var frame = 0;
        foreach (var png in PngWriter.Stills(job))
            File.WriteAllBytes(Path.Combine(staging, frame++.ToString("D" + digits, CultureInfo.InvariantCulture) + ".png"), png);
        File.WriteAllText(Path.Combine(staging, RecipeFile), job.Recipe);
    }

    // run.json goes first and comes last: a folder without it is known to be unfinished, should the machine stop in between.
    private static void Replace(string folder, string staging)
    {
        File.Delete(Path.Combine(folder, RecipeFile));
        foreach (var old in Directory.EnumerateFiles(folder, "*.png").Where(old => FrameName().IsMatch(Path.GetFileName(old))))
            File.Delete(old);
        foreach (var file in Directory.EnumerateFiles(staging).Order(StringComparer.Ordinal))
            File.Move(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
    }

    private static bool IsOurs(string entry)
    {
        var name = Path.GetFileName(entry);
        if (name.StartsWith(OutputFile.TemporaryPrefix, StringComparison.Ordinal))
            return true;
        if (!File.Exists(entry) || (name != RecipeFile && !FrameName().IsMatch(name)))
            return false;
        try
        {
            return RecipeReader.Read(entry).Length > 0;
        }
        catch (FileException)
        {
            return false;
        }
    }

    [GeneratedRegex(@"^[0-9]{3,}\.png$")]
    private static partial Regex FrameName();
}
