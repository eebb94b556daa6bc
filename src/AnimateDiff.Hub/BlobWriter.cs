using System.Security.Cryptography;
using System.Text;

namespace AnimateDiff.Hub;

/// <summary>The unfinished file of a blob: bytes are appended in order and hashed on the way, so that nothing is read twice.</summary>
internal sealed class BlobWriter : IDisposable
{
    private readonly FileStream _file;
    private readonly HubFile _expected;
    private readonly IncrementalHash _hash;

    private BlobWriter(string path, HubFile expected)
    {
        _expected = expected;
        _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        // Small files are named by git's blob hash, an address in git and no protection: SHA-1 is given.
        _hash = IncrementalHash.CreateHash(expected.IsLfs ? HashAlgorithmName.SHA256 : HashAlgorithmName.SHA1);
        Prefix();
    }

    /// <summary>Bytes in the file.</summary>
    public long Length { get; private set; }

    /// <summary>Opens the file, and hashes what an earlier run left in it.</summary>
    public static BlobWriter Open(string path, HubFile expected, CancellationToken cancellationToken)
    {
        var writer = new BlobWriter(path, expected);
        if (writer._file.Length > expected.Size)
            writer.Restart();
        var buffer = new byte[1 << 20];
        for (int read; (read = writer._file.Read(buffer)) > 0; cancellationToken.ThrowIfCancellationRequested())
        {
            writer._hash.AppendData(buffer.AsSpan(0, read));
            writer.Length += read;
        }
        return writer;
    }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        RandomAccess.Write(_file.SafeFileHandle, bytes, Length);
        _hash.AppendData(bytes);
        Length += bytes.Length;
    }

    public void Restart()
    {
        _file.SetLength(0);
        _hash.GetHashAndReset();
        Prefix();
        Length = 0;
    }

    /// <summary>Null when the content is the listed one, else what is wrong with it.</summary>
    public string? Finish()
    {
        _file.Flush(flushToDisk: true);
        if (Length != _expected.Size)
            return $"{Length} bytes instead of {_expected.Size}";
        var found = Convert.ToHexStringLower(_hash.GetHashAndReset());
        return found == _expected.Etag ? null : $"{(_expected.IsLfs ? "SHA-256" : "git hash")} {found} instead of {_expected.Etag}";
    }

    public void Dispose()
    {
        _file.Dispose();
        _hash.Dispose();
    }

    private void Prefix()
    {
        if (!_expected.IsLfs)
            _hash.AppendData(Encoding.ASCII.GetBytes($"blob {_expected.Size}\0"));
    }
}
