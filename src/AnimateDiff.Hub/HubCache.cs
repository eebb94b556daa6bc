namespace AnimateDiff.Hub;

/// <summary>
/// One repository's folder in the cache that Python's huggingface_hub keeps, name for name, so that each finds the other's files:
/// <c>models--OWNER--NAME/{blobs/ETAG, refs/REVISION, snapshots/COMMIT/FILE → ../../blobs/ETAG}</c> and <c>.locks/models--OWNER--NAME/ETAG.lock</c>.
/// </summary>
internal sealed class HubCache(HubOptions options, string repository)
{
    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(100);
    private readonly string _name = "models--" + repository.Replace("/", "--");

    public string Folder => Path.Combine(options.CacheFolder, _name);

    public string Blob(HubFile file) => Path.Combine(Folder, "blobs", file.Etag);

    /// <summary>The front part of an unfinished blob: its bytes from 0 without a gap, which huggingface_hub may go on with as well.</summary>
    public string Incomplete(HubFile file) => Blob(file) + ".incomplete";

    public string Snapshot(string commit) => Path.Combine(Folder, "snapshots", commit);

    public string SnapshotFile(string commit, string file) => Path.Combine([Snapshot(commit), .. file.Split('/')]);

    /// <summary>The commit that a revision stood for when it was last pulled, or null.</summary>
    public string? Commit(string revision)
    {
        var path = RefPath(revision);
        var commit = File.Exists(path) ? File.ReadAllText(path).Trim() : revision;
        return IsHex(commit, 40) && Directory.Exists(Snapshot(commit)) ? commit : null;
    }

    public void WriteRef(string revision, string commit)
    {
        var path = RefPath(revision);
        if (revision == commit || (File.Exists(path) && File.ReadAllText(path) == commit))
            return;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Replace(path, temporary => File.WriteAllText(temporary, commit));
    }

    /// <summary>Names of the files of a snapshot, with <c>/</c>; links to blobs that are gone do not count.</summary>
    public IReadOnlyList<string> SnapshotNames(string commit)
    {
        var folder = Snapshot(commit);
        return [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(path => LengthOf(path) is not null)
            .Select(path => Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/'))];
    }

    /// <summary>Whether the file is there in full: as a blob or, where links cannot be made, in its snapshot.</summary>
    public bool Has(HubFile file, string commit) =>
        LengthOf(Blob(file)) == file.Size || LengthOf(SnapshotFile(commit, file.Name)) == file.Size;

    public long IncompleteBytes(HubFile file) => LengthOf(Incomplete(file)) is { } length && length <= file.Size ? length : 0;

    /// <summary>Puts a blob into its snapshot: as a relative link or, where the system makes none, by moving it there (copying, when it is older).</summary>
    public void Publish(HubFile file, string commit, bool isNew)
    {
        var path = SnapshotFile(commit, file.Name);
        var target = Path.GetRelativePath(Path.GetDirectoryName(path)!, Blob(file));
        if (LengthOf(Blob(file)) is null || new FileInfo(path).LinkTarget == target)
            return;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (options.SymbolicLinks && TryReplace(path, temporary => File.CreateSymbolicLink(temporary, target)))
            return;
        if (isNew)
            File.Move(Blob(file), path, overwrite: true);
        else
            Replace(path, temporary => File.Copy(Blob(file), temporary));
    }

    /// <summary>Waits until no other process or pull works on the blob. The lock is <c>flock</c>'s, on the file that huggingface_hub locks.</summary>
    public async Task<IDisposable> LockAsync(HubFile file, TimeProvider time, CancellationToken cancellationToken)
    {
        var path = Path.Combine(options.CacheFolder, ".locks", _name, file.Etag + ".lock");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException e) when (IsHeldElsewhere(e))
            {
                await Task.Delay(LockPoll, time, cancellationToken);
            }
        }
    }

    public static bool IsHex(string? text, int length) => text?.Length == length && text.All(char.IsAsciiHexDigitLower);

    /// <summary>Length of a file or of the file a link leads to; null when there is none. File.Exists says yes to links that lead nowhere.</summary>
    private static long? LengthOf(string path)
    {
        try
        {
            using var file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
            return RandomAccess.GetLength(file);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private string RefPath(string revision) => Path.Combine([Folder, "refs", .. revision.Split('/')]);

    /// <summary>Makes a file under another name and renames it, so that nobody sees half of it and two at once do no harm.</summary>
    private static void Replace(string path, Action<string> write)
    {
        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            write(temporary);
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static bool TryReplace(string path, Action<string> write)
    {
        try
        {
            Replace(path, write);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            return false;
        }
    }

    /// <summary>Windows' sharing and lock violations; EWOULDBLOCK of Linux and of macOS.</summary>
    private static bool IsHeldElsewhere(IOException e) => (e.HResult & 0xFFFF) is 32 or 33 or 11 or 35;
}
