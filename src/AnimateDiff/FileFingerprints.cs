using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace AnimateDiff;

/// <summary>SHA-256 of files, computed in the background and once for each file as long as it does not change.</summary>
internal static class FileFingerprints
{
    private static readonly ConcurrentDictionary<(string Path, long Length, DateTime Written), Lazy<Task<string>>> Known = new();

    /// <summary>SHA-256 in lower-case hexadecimal.</summary>
    public static Task<string> OfAsync(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists)
            throw new FileException(path, $"{path} does not exist.");
        return Known.GetOrAdd((file.FullName, file.Length, file.LastWriteTimeUtc), _ => new(() => Task.Run(async () =>
        {
            await using var stream = new FileStream(file.FullName, new FileStreamOptions { BufferSize = 1 << 20, Options = FileOptions.SequentialScan });
            return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream));
        }))).Value;
    }

    /// <summary>A name for a file that is made from what <paramref name="origin"/> says: 32 hexadecimal digits.</summary>
    public static string NameFor(string origin) => OfText(origin)[..32];

    /// <summary>SHA-256 of a text in UTF-8, in lower-case hexadecimal.</summary>
    public static string OfText(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
