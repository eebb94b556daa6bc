using System.Text.RegularExpressions;

namespace AnimateDiff.Hub;

/// <summary>Where the hub and its cache are and how hard to try; the defaults are those of Python's huggingface_hub.</summary>
public sealed partial record HubOptions
{
    /// <summary>The hub: <c>HF_ENDPOINT</c>.</summary>
    public Uri Endpoint { get; init; } = new("https://huggingface.co");

    /// <summary>Access token, sent to <see cref="Endpoint"/> only: <c>HF_TOKEN</c>, else the file <c>HF_TOKEN_PATH</c> or <c>HF_HOME/token</c>.</summary>
    public string? Token { get; init; }

    /// <summary>Cache folder: <c>HF_HUB_CACHE</c>, else <c>HF_HOME/hub</c>, else <c>~/.cache/huggingface/hub</c>.</summary>
    public required string CacheFolder { get; init; }

    /// <summary>Never use the network: <c>HF_HUB_OFFLINE</c>.</summary>
    public bool Offline { get; init; }

    /// <summary>Weight variant to prefer, such as <c>fp16</c>; null: the plain weights.</summary>
    public string? Variant { get; init; }

    /// <summary>Files under way at once, ≥ 1.</summary>
    public int ParallelFiles { get; init; } = 4;

    /// <summary>Requests under way at once over all files, ≥ 1. Each holds one <see cref="ChunkBytes"/> in memory.</summary>
    public int Connections { get; init; } = 8;

    /// <summary>Bytes of a large file asked for in one request.</summary>
    public int ChunkBytes { get; init; } = 8 << 20;

    /// <summary>Failures in a row, with no byte gained between them, before giving up.</summary>
    public int Retries { get; init; } = 5;

    /// <summary>A connection silent for this long counts as cut.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Free bytes on the disk that holds a folder; null when the system does not say.</summary>
    internal Func<string, long?> FreeSpace { get; init; } = folder =>
    {
        try
        {
            return new DriveInfo(folder).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    };

    /// <summary>Whether the cache may hold symbolic links; they are still only used where the system makes them.</summary>
    internal bool SymbolicLinks { get; init; } = true;

    /// <summary>The options that the environment sets.</summary>
    /// <exception cref="RequestException"><c>HF_ENDPOINT</c> is no http(s) address.</exception>
    public static HubOptions FromEnvironment() => FromEnvironment(Environment.GetEnvironmentVariable);

    internal static HubOptions FromEnvironment(Func<string, string?> variable)
    {
        string? Value(params string[] names) => names.Select(variable).FirstOrDefault(value => !string.IsNullOrWhiteSpace(value))?.Trim();
        string? Folder(params string[] names) => Value(names) is { } path ? Path.GetFullPath(Expand(path, variable)) : null;
        bool Flag(string name) => Value(name)?.ToUpperInvariant() is "1" or "ON" or "YES" or "TRUE";

        var home = Folder("HF_HOME") ?? Path.Combine(Folder("XDG_CACHE_HOME") ?? Path.Combine(UserFolder(variable), ".cache"), "huggingface");
        var tokenFile = Folder("HF_TOKEN_PATH") ?? Path.Combine(home, "token");
        var token = Value("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") ?? (File.Exists(tokenFile) ? File.ReadAllText(tokenFile).Trim() : null);
        var options = new HubOptions
        {
            CacheFolder = Folder("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? Path.Combine(home, "hub"),
            Token = string.IsNullOrEmpty(token) ? null : token,
            Offline = Flag("HF_HUB_OFFLINE") || Flag("TRANSFORMERS_OFFLINE"),
        };
        if (Value("HF_ENDPOINT") is not { } endpoint)
            return options;
        return Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? options with { Endpoint = uri }
            : throw new RequestException($"HF_ENDPOINT is “{endpoint}”, expected an address such as {options.Endpoint.AbsoluteUri.TrimEnd('/')}.");
    }

    /// <summary>The options without the token, so that no log can hold it.</summary>
    public override string ToString() => $"{Endpoint} → {CacheFolder}{(Token is null ? "" : ", with a token")}{(Offline ? ", offline" : "")}";

    private static string Expand(string path, Func<string, string?> variable)
    {
        path = Variable().Replace(path, match => variable(match.Groups["name"].Value) ?? match.Value);
        return path == "~" || path.StartsWith("~/") ? UserFolder(variable) + path[1..] : path;
    }

    private static string UserFolder(Func<string, string?> variable) =>
        variable("HOME") ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);

    [GeneratedRegex(@"\$(\{(?<name>\w+)\}|(?<name>\w+))", RegexOptions.ExplicitCapture)]
    private static partial Regex Variable();
}
