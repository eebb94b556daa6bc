namespace AnimateDiff.Hub;

/// <summary>One file of a repository as the hub lists it.</summary>
/// <param name="Name">Path inside the repository, with <c>/</c>.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Etag">Its name in the cache: the SHA-256 of a large (LFS) file, the git blob SHA-1 of a small one; lower-case hex.</param>
public sealed record HubFile(string Name, long Size, string Etag)
{
    /// <summary>Large files are named by SHA-256, which is longer than git's SHA-1.</summary>
    internal bool IsLfs => Etag.Length == 64;
}

/// <summary>What a pull will bring.</summary>
/// <param name="Reference">What was asked for.</param>
/// <param name="Commit">The commit the revision stands for, 40 hex digits.</param>
/// <param name="Files">The files, with their sizes.</param>
/// <param name="BytesTotal">Size of all files.</param>
/// <param name="BytesCached">Of these, bytes that are in the cache already, unfinished files included.</param>
public sealed record HubPlan(HubReference Reference, string Commit, IReadOnlyList<HubFile> Files, long BytesTotal, long BytesCached);

/// <summary>How far a pull has come. Bytes go back when a damaged file is fetched anew.</summary>
/// <param name="BytesDone">Bytes in the cache, those found there included.</param>
/// <param name="BytesTotal">Size of all files.</param>
/// <param name="FilesDone">Files complete and verified.</param>
/// <param name="FilesTotal">Number of files.</param>
/// <param name="File">The file that moved last.</param>
public sealed record HubProgress(long BytesDone, long BytesTotal, int FilesDone, int FilesTotal, string File);
