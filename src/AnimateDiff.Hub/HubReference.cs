using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace AnimateDiff.Hub;

/// <summary>A repository on the hub, a revision of it, and the files wanted.</summary>
/// <param name="Repository"><c>OWNER/NAME</c>.</param>
/// <param name="Revision">A branch, tag or commit.</param>
/// <param name="Files">Files or folders inside the repository; empty: what a model of its kind needs.</param>
public sealed partial record HubReference(string Repository, string Revision, IReadOnlyList<string> Files)
{
    /// <summary>The branch used when none is named.</summary>
    public const string DefaultRevision = "main";

    private static readonly string[] FileExtensions =
        [".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".json", ".yaml", ".yml", ".txt", ".gif", ".png", ".mp4"];

    /// <summary>Reads <c>OWNER/NAME[@REVISION][:FILE[,FILE…]]</c>.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out HubReference? reference)
    {
        reference = null;
        if (Pattern().Match(text ?? "") is not { Success: true } match)
            return false;
        var revision = match.Groups["revision"] is { Success: true, Value: var named } ? named : DefaultRevision;
        string[] files = match.Groups["files"].Success ? match.Groups["files"].Value.Split(',', StringSplitOptions.TrimEntries) : [];
        files = [.. files.Select(file => file.TrimEnd('/'))];
        var repository = $"{match.Groups["owner"].Value}/{match.Groups["name"].Value}";
        // Both separate names in the cache's folders, so the hub allows them in no name.
        if (repository.Contains("--") || repository.Contains("..") || !IsSafe(revision) || !files.All(IsSafe))
            return false;
        reference = new HubReference(repository, revision, files);
        return true;
    }

    /// <summary>
    /// True when the text can only name a repository: nothing of this name exists on disk, and it does not look like a path
    /// (<c>./x</c>, <c>/x</c>, <c>~/x</c>, <c>x\y</c>, <c>a/b.safetensors</c>, <c>a/b/c</c>).
    /// </summary>
    public static bool IsHubName(string text, [NotNullWhen(true)] out HubReference? reference)
    {
        reference = null;
        return !Path.Exists(text) && TryParse(text, out reference)
            && (reference.Files.Count > 0 || !FileExtensions.Contains(Path.GetExtension(reference.Repository).ToLowerInvariant()));
    }

    /// <summary>The reference as <see cref="TryParse"/> reads it.</summary>
    public override string ToString() =>
        Repository + (Revision == DefaultRevision ? "" : $"@{Revision}") + (Files.Count == 0 ? "" : $":{string.Join(',', Files)}");

    /// <summary>A relative path that stays inside the folder it is put in, on every system.</summary>
    internal static bool IsSafe(string path) =>
        path.Length is > 0 and < 1024 && path.All(letter => !char.IsControl(letter) && letter is not ('\\' or ':'))
        && path.Split('/').All(part => part.Trim() is not ("" or "." or ".."));

    [GeneratedRegex(@"^(?<owner>[A-Za-z0-9][A-Za-z0-9_.-]{0,95})/(?<name>[A-Za-z0-9][A-Za-z0-9_.-]{0,95})(@(?<revision>[^:@\s]+))?(:(?<files>.+))?\z",
        RegexOptions.ExplicitCapture)]
    private static partial Regex Pattern();
}
