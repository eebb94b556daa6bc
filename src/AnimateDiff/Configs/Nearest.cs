namespace AnimateDiff.Configs;

/// <summary>The known name a mistyped one was probably meant to be, for error messages.</summary>
internal static class Nearest
{
    /// <summary>“ (did you mean X?)”, or nothing when no known name is near.</summary>
    public static string Hint(string name, IEnumerable<string> known) => Of(name, known) is { } near ? $" (did you mean {near}?)" : "";

    /// <summary>The nearest of <paramref name="known"/>, or null when none is within a third of the length.</summary>
    public static string? Of(string name, IEnumerable<string> known)
    {
        var best = known.Select(candidate => (candidate, distance: Distance(name.ToLowerInvariant(), candidate.ToLowerInvariant())))
            .OrderBy(entry => entry.distance).FirstOrDefault();
        return best.candidate is not null && best.distance <= (Math.Max(name.Length, best.candidate.Length) + 2) / 3 ? best.candidate : null;
    }

    /// <summary>Levenshtein's edit distance, one row at a time.</summary>
    private static int Distance(string a, string b)
    {
        int[] previous = [.. Enumerable.Range(0, b.Length + 1)];
        var current = new int[b.Length + 1];
        for (var i = 0; i < a.Length; i++)
        {
            current[0] = i + 1;
            for (var j = 0; j < b.Length; j++)
                current[j + 1] = Math.Min(Math.Min(current[j], previous[j + 1]) + 1, previous[j] + (a[i] == b[j] ? 0 : 1));
            (previous, current) = (current, previous);
        }
        return previous[b.Length];
    }
}
