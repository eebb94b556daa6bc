using System.Net;
using System.Text.Json;
using AnimateDiff.Configs;

namespace AnimateDiff.Hub;

/// <summary>What the hub's API says of a repository, and what its refusals mean.</summary>
internal sealed class HubListing(HubTransport transport, HubOptions options)
{
    private const int LargestAnswer = 64 << 20;

    /// <summary>The commit of a revision and all its files with size and hash.</summary>
    public async Task<(string Commit, IReadOnlyList<HubFile> Files)> GetAsync(HubReference reference, CancellationToken cancellationToken)
    {
        var address = Address($"api/models/{reference.Repository}/revision/{Uri.EscapeDataString(reference.Revision)}?blobs=true");
        using var answer = await AskAsync(address, reference, cancellationToken);
        if (answer.Json?.RootElement is not { } root)
            throw Refused(answer.Status, answer.Code, reference, await HintAsync(answer, reference, cancellationToken));
        try
        {
            var commit = root.GetProperty("sha").GetString();
            HubFile[] files = [.. root.GetProperty("siblings").EnumerateArray().Select(sibling => Read(sibling, reference))];
            // The commit becomes a folder's name.
            return HubCache.IsHex(commit, 40) ? (commit!, files) : throw new FormatException("commit");
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new HubException(HubFailure.Damaged, reference.Repository,
                $"{options.Endpoint.Host} lists {reference.Repository} in a form that cannot be read; check HF_ENDPOINT.", e);
        }
    }

    /// <summary>The files with size and hash, asked of each by itself where the hub's list has names only, as mirrors' lists do.</summary>
    public async Task<IReadOnlyList<HubFile>> CompleteAsync(HubReference reference, string commit, IReadOnlyList<HubFile> files, CancellationToken cancellationToken)
    {
        var complete = new List<HubFile>();
        foreach (var file in files)
        {
            if (file.Etag.Length > 0)
            {
                complete.Add(file);
                continue;
            }
            var (size, etag) = await transport.RetryAsync(reference.Repository,
                () => transport.DescribeAsync(FileAddress(reference, commit, file), reference.Repository, cancellationToken), () => 0, cancellationToken);
            if (size is null or < 0 || !(HubCache.IsHex(etag, 40) || HubCache.IsHex(etag, 64)))
                throw new HubException(HubFailure.Damaged, reference.Repository,
                    $"{options.Endpoint.Host} tells neither in its list nor by itself what size and hash {file.Name} of {reference.Repository} has; check HF_ENDPOINT.");
            complete.Add(new HubFile(file.Name, size.Value, etag!));
        }
        return complete;
    }

    /// <summary>Where a file is, at one commit for good.</summary>
    public Uri FileAddress(HubReference reference, string commit, HubFile file) =>
        Address($"{reference.Repository}/resolve/{commit}/{string.Join('/', file.Name.Split('/').Select(Uri.EscapeDataString))}");

    /// <summary>What a lasting refusal (4xx) means and what to do about it.</summary>
    public HubException Refused(HttpStatusCode status, string? code, HubReference reference, string? hint = null)
    {
        var (repository, host) = (reference.Repository, options.Endpoint.Host);
        var page = Address(repository);
        return (code, (int)status, options.Token) switch
        {
            ("GatedRepo", _, null) or (null, 403, null) => Error(HubFailure.NotAllowed,
                $"{repository} is gated: accept its licence at {page} and set HF_TOKEN to a token of that account."),
            ("GatedRepo", _, _) or (_, 403, _) => Error(HubFailure.NotAllowed,
                $"{repository} is gated and the account of the given token has no access: accept its licence at {page} with that account."),
            ("RevisionNotFound", _, _) => Error(HubFailure.NotFound, $"{repository} has no revision {reference.Revision} at {host}{hint}."),
            ("EntryNotFound", _, _) => Error(HubFailure.NotFound, $"{repository} lists a file at {host} that is not there any more; run the command again."),
            ("RepoNotFound", _, null) or (_, 404, null) or (_, 401, null) => Error(HubFailure.NotFound,
                $"There is no repository {repository} at {host}, or it is private and needs HF_TOKEN{hint}."),
            ("RepoNotFound", _, _) or (_, 404, _) => Error(HubFailure.NotFound,
                $"There is no repository {repository} at {host}, or the account of the given token may not see it{hint}."),
            (_, 401, _) => Error(HubFailure.NotAllowed, $"{host} does not accept the token given in HF_TOKEN or the token file; make a new one or unset it."),
            _ => Error(HubFailure.Unreachable, $"{host} answers {(int)status} for {repository}; check the name and HF_ENDPOINT."),
        };

        HubException Error(HubFailure failure, string message) => new(failure, repository, message);
    }

    /// <summary>Names near the one that is refused; an empty hint when the hub has none.</summary>
    private async Task<string> HintAsync(Answer refusal, HubReference reference, CancellationToken cancellationToken)
    {
        var revision = refusal.Code == "RevisionNotFound";
        if (!revision && refusal.Status != HttpStatusCode.NotFound && refusal.Code != "RepoNotFound")
            return "";
        try
        {
            using var answer = await AskAsync(Address(revision ? $"api/models/{reference.Repository}/refs"
                : $"api/models?limit=20&search={Uri.EscapeDataString(reference.Repository.Split('/')[1])}"), reference, cancellationToken);
            if (answer.Json?.RootElement is not { } root)
                return "";
            return revision
                ? Nearest.Hint(reference.Revision, new[] { "branches", "tags" }.SelectMany(kind => Texts(root.GetProperty(kind), "name")))
                : Nearest.Hint(reference.Repository, Texts(root, "id"));
        }
        catch (Exception e) when (e is HubException or InvalidOperationException or KeyNotFoundException)
        {
            return "";
        }
    }

    private Task<Answer> AskAsync(Uri address, HubReference reference, CancellationToken cancellationToken) =>
        transport.RetryAsync(reference.Repository, async () =>
        {
            using var response = await transport.GetAsync(address, reference.Repository, null, cancellationToken);
            if (response.Status != HttpStatusCode.OK)
                return new Answer(null, response.Status, response.Header("X-Error-Code"));
            using var body = new MemoryStream();
            var buffer = new byte[1 << 16];
            for (int read; (read = await response.ReadAsync(buffer, cancellationToken)) > 0 && body.Length < LargestAnswer;)
                body.Write(buffer, 0, read);
            try
            {
                return new Answer(JsonDocument.Parse(body.GetBuffer().AsMemory(0, (int)body.Length)), response.Status, null);
            }
            catch (JsonException e)
            {
                throw new TransientException($"{address.Host} sends an answer that is no JSON", inner: e);
            }
        }, () => 0, cancellationToken);

    private static HubFile Read(JsonElement sibling, HubReference reference)
    {
        var name = sibling.GetProperty("rfilename").GetString() ?? "";
        if (!HubReference.IsSafe(name))
            throw new HubException(HubFailure.Unsafe, reference.Repository,
                $"{reference.Repository} lists a file “{name}”, which would lie outside its folder; nothing was pulled.");
        if (!sibling.TryGetProperty("blobId", out _) && !sibling.TryGetProperty("lfs", out _))
            return new HubFile(name, 0, "");
        var lfs = sibling.TryGetProperty("lfs", out var entry) && entry.ValueKind == JsonValueKind.Object;
        var etag = lfs ? entry.GetProperty("sha256").GetString() : sibling.GetProperty("blobId").GetString();
        var size = (lfs && entry.TryGetProperty("size", out var large) ? large : sibling.GetProperty("size")).GetInt64();
        // The hash becomes a file's name.
        return HubCache.IsHex(etag, lfs ? 64 : 40) && size >= 0 ? new HubFile(name, size, etag!) : throw new FormatException(name);
    }

    private static string[] Texts(JsonElement list, string property) =>
        [.. list.EnumerateArray().Select(entry => entry.GetProperty(property).GetString() ?? "")];

    private Uri Address(string path) => new($"{options.Endpoint.AbsoluteUri.TrimEnd('/')}/{path}");

    /// <summary>JSON, or the reason why there is none.</summary>
    private sealed record Answer(JsonDocument? Json, HttpStatusCode Status, string? Code) : IDisposable
    {
        public void Dispose() => Json?.Dispose();
    }
}
