namespace AnimateDiff.Video;

/// <summary>Files that appear complete or not at all.</summary>
internal static class OutputFile
{
    /// <summary>What names of unfinished files and folders begin with.</summary>
    public const string TemporaryPrefix = ".animatediff-";

    /// <summary>Lets <paramref name="write"/> write a file beside <paramref name="path"/> and renames it; deletes it when that fails.</summary>
    public static Task WriteAsync(string path, Func<string, Task> write) => TranslateAsync(path, async () =>
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? throw new IOException("Not the name of a file");
        Directory.CreateDirectory(folder);
        var temporary = Path.Combine(folder, TemporaryName());
        try
        {
            await write(temporary);
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    });

    public static string TemporaryName() => TemporaryPrefix + Path.GetRandomFileName();

    /// <summary>Tries whether a file could be created in the nearest existing folder of a path.</summary>
    public static void CheckWritable(string path)
    {
        var folder = Path.EndsInDirectorySeparator(path) || Directory.Exists(path) ? Path.GetFullPath(path) : Path.GetDirectoryName(Path.GetFullPath(path));
        while (folder is not null && !Path.Exists(folder))
            folder = Path.GetDirectoryName(folder);
        try
        {
            using var probe = File.Create(Path.Combine(folder ?? "", TemporaryName()), 1, FileOptions.DeleteOnClose);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw CannotWrite(path, error);
        }
    }

    /// <summary>Runs something that writes and turns the system's errors into one that names the path.</summary>
    public static async Task TranslateAsync(string path, Func<Task> write)
    {
        try
        {
            await write();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw CannotWrite(path, error);
        }
    }

    private static FileException CannotWrite(string path, Exception error)
        => new(path, $"'{path}' cannot be written ({error.Message.TrimEnd('.')}); name a place that can be written to and has room.", error);
}
