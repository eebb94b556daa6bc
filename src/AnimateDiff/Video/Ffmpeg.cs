using FFMpegCore;

namespace AnimateDiff.Video;

/// <summary>Where the system's ffmpeg is.</summary>
internal static class Ffmpeg
{
    /// <summary>Replaces PATH for the current flow of calls; for tests.</summary>
    internal static readonly AsyncLocal<string?> SearchPath = new();

    /// <summary>The folder of the programs ffmpeg and ffprobe: the first one of PATH that has both.</summary>
    /// <exception cref="FileException">There is none.</exception>
    public static string Folder
    {
        get
        {
            var suffix = OperatingSystem.IsWindows() ? ".exe" : "";
            var path = SearchPath.Value ?? Environment.GetEnvironmentVariable("PATH") ?? "";
            return Array.Find(path.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries), Has) ?? throw new FileException("ffmpeg",
                "The programs ffmpeg and ffprobe are not in PATH, but .mp4, .webm and other video files need them; install them (Debian, Ubuntu: apt-get install "
                + "ffmpeg; macOS: brew install ffmpeg; Windows: winget install ffmpeg), or use .gif, .webp, .apng or a folder/, which need none.");

            bool Has(string folder) => File.Exists(Path.Combine(folder, "ffmpeg" + suffix)) && File.Exists(Path.Combine(folder, "ffprobe" + suffix));
        }
    }

    /// <summary>Options of FFMpegCore that use those programs.</summary>
    public static FFOptions Options => new() { BinaryFolder = Folder };

    /// <summary>A path as FFMpegCore may put it between double quotes; absolute, so that no leading part of it reads as a protocol or an option.</summary>
    public static string Quotable(string path) => Path.GetFullPath(path).Replace("\"", "\\\"");

    /// <summary>Ends a program when a token asks for it. The asking goes through a pipe, which breaks when the program has just ended by itself: no error of whoever cancels.</summary>
    /// <returns>Ends the listening.</returns>
    public static CancellationTokenRegistration EndBy(CancellationToken cancellationToken, Action end) => cancellationToken.Register(() =>
    {
        try
        {
            end();
        }
        catch (IOException)
        {
        }
    });

    /// <summary>The last lines of what ffmpeg said, as one line.</summary>
    public static string LastWords(IEnumerable<string> lines)
    {
        var words = string.Join("; ", lines.Select(line => line.Trim()).Where(line => line.Length > 0).TakeLast(3));
        return words.Length > 0 ? words : "it gave no reason";
    }
}
