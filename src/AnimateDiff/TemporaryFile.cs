namespace AnimateDiff;

/// <summary>Files for what is too much for memory.</summary>
internal static class TemporaryFile
{
    /// <summary>A file that is gone when it is closed, or with the process, however that ends.</summary>
    public static FileStream Create()
    {
        var path = Path.GetTempFileName();
        if (OperatingSystem.IsWindows())
            return Open(FileOptions.DeleteOnClose);
        var file = Open(FileOptions.None);
        File.Delete(path);                                                  // only its name: elsewhere "delete on close" is a promise of this process alone
        return file;

        FileStream Open(FileOptions options) => new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0, options);
    }
}
