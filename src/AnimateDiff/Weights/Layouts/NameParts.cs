namespace AnimateDiff.Weights.Layouts;

/// <summary>Questions about sets of tensor names.</summary>
internal static class NameParts
{
    /// <summary>How many numbered parts follow <paramref name="prefix"/>: 4 for <c>down_blocks.0…</c> to <c>down_blocks.3…</c>; 0 where there are none.</summary>
    public static int Count(IEnumerable<string> names, string prefix)
    {
        var count = 0;
        foreach (var name in names)
        {
            if (!name.StartsWith(prefix, StringComparison.Ordinal))
                continue;
            var end = name.IndexOf('.', prefix.Length);
            if (int.TryParse(name.AsSpan(prefix.Length, (end < 0 ? name.Length : end) - prefix.Length), out var index))
                count = Math.Max(count, index + 1);
        }
        return count;
    }

    /// <summary>The tensors below <paramref name="prefix"/>, without it.</summary>
    public static StateDict Below(this StateDict file, string prefix)
        => file.Select(name => name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : null);

    /// <summary>Whether any name begins with <paramref name="prefix"/>.</summary>
    public static bool Has(this StateDict file, string prefix) => file.Keys.Any(name => name.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>Whether any name contains <paramref name="part"/>.</summary>
    public static bool Mentions(this StateDict file, string part) => file.Keys.Any(name => name.Contains(part, StringComparison.Ordinal));
}
