namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// Spellings of diffusers folders written before 2023: the VAE's attention says <c>query, key, value, proj_attn</c>, text encoders carry the buffer <c>position_ids</c>.
/// </summary>
internal static class LegacyDiffusersLayout
{
    private const string Attention = ".attentions.0.";
    private static readonly Renames Projections = new(("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0"));

    /// <summary>Whether any name is spelled the old way.</summary>
    public static bool Matches(IEnumerable<string> names) => names.Any(name => ToDiffusers(name) != name);

    /// <summary>Today's spelling, or null for a buffer that is no longer stored.</summary>
    public static string? ToDiffusers(string name)
    {
        if (name.EndsWith(".position_ids", StringComparison.Ordinal))
            return null;
        var at = name.IndexOf("mid_block" + Attention, StringComparison.Ordinal);
        if (at < 0)
            return name;
        var inner = at + ("mid_block" + Attention).Length;
        return name[..inner] + Projections.ToDiffusers(name[inner..]);
    }

    /// <summary>The tensors under today's names; the folder's own state dict where nothing is old.</summary>
    public static StateDict ToDiffusers(StateDict part) => Matches(part.Keys) ? part.Select(ToDiffusers) : part;
}
