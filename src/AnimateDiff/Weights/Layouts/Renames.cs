namespace AnimateDiff.Weights.Layouts;

/// <summary>A table of part names that reads both ways: the first of each pair is the foreign spelling, the second is diffusers'.</summary>
internal sealed class Renames(params (string Foreign, string Diffusers)[] pairs)
{
    /// <summary>The diffusers spelling of a name that begins with a foreign one; any other name is left as it is.</summary>
    public string ToDiffusers(string name) => Replace(name, pairs.Select(pair => (pair.Foreign, pair.Diffusers)));

    /// <summary>The foreign spelling of a name that begins with diffusers'.</summary>
    public string FromDiffusers(string name) => Replace(name, pairs.Select(pair => (pair.Diffusers, pair.Foreign)));

    private static string Replace(string name, IEnumerable<(string From, string To)> pairs)
    {
        foreach (var (from, to) in pairs)
            if (name.StartsWith(from, StringComparison.Ordinal) && (name.Length == from.Length || name[from.Length] == '.'))
                return to + name[from.Length..];
        return name;
    }
}
