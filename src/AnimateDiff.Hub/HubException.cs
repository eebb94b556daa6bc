namespace AnimateDiff.Hub;

/// <summary>What kept files from being pulled.</summary>
public enum HubFailure
{
    /// <summary>No such repository, revision, file or variant.</summary>
    NotFound,

    /// <summary>The repository is gated or private, or the token is not accepted.</summary>
    NotAllowed,

    /// <summary>No answer: offline, a name that does not resolve, a certificate that is not trusted, or a server that stays down.</summary>
    Unreachable,

    /// <summary>What arrived is not what the hub lists, several times over, or the listing cannot be read.</summary>
    Damaged,

    /// <summary>The disk is full or the cache folder cannot be written.</summary>
    Disk,

    /// <summary>The hub names files or addresses that must not be followed.</summary>
    Unsafe,
}

/// <summary>Files could not be had from the hub; <see cref="FileException.Path"/> is the repository.</summary>
public sealed class HubException(HubFailure failure, string repository, string message, Exception? inner = null)
    : FileException(repository, message, inner)
{
    /// <summary>The kind of failure, for callers that do something about it.</summary>
    public HubFailure Failure { get; } = failure;
}

/// <summary>Something that may go away by itself: tried again with a growing pause.</summary>
internal sealed class TransientException(string message, TimeSpan? retryAfter = null, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The pause the server asks for.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;
}

/// <summary>The server's bytes are not the listed ones: what was received is thrown away and fetched anew.</summary>
internal sealed class DamagedException(string message) : Exception(message);

/// <summary>The server answers a range with the whole file.</summary>
internal sealed class RangesRefusedException() : Exception("The server does not serve ranges.");
