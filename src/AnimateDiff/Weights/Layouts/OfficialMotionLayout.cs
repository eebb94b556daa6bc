namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// Motion modules (and the motion parts of SparseCtrl) as the official code names them. It stores the position encoding of each attention by itself; diffusers has one
/// <c>pos_embed.pe</c> per block, which is the same table.
/// </summary>
internal static class OfficialMotionLayout
{
    private const string Wrapper = ".temporal_transformer.";
    private const string Motion = ".motion_modules.";
    private static readonly Renames Block = new(
        ("attention_blocks.0.pos_encoder", "pos_embed"), ("attention_blocks.0", "attn1"), ("attention_blocks.1", "attn2"),
        ("norms.0", "norm1"), ("norms.1", "norm2"), ("ff_norm", "norm3"));

    /// <summary>Whether these are the official names.</summary>
    public static bool Matches(IEnumerable<string> names) => names.Any(name => name.Contains(Motion, StringComparison.Ordinal) && name.Contains(Wrapper, StringComparison.Ordinal));

    /// <summary>Diffusers' name; null for the second copy of the position encoding.</summary>
    public static string? ToDiffusers(string name)
    {
        if (name.EndsWith("attention_blocks.1.pos_encoder.pe", StringComparison.Ordinal))
            return null;
        return InBlock(name.Replace(Wrapper, "."), Block.ToDiffusers);
    }

    /// <summary>The official name.</summary>
    public static string FromDiffusers(string name)
    {
        var module = name.IndexOf(Motion, StringComparison.Ordinal);
        if (module < 0)
            return name;
        var inner = name.IndexOf('.', module + Motion.Length);
        return InBlock(name[..inner] + Wrapper + name[(inner + 1)..], Block.FromDiffusers);
    }

    /// <summary>The module under official names, with the position encoding beside both attentions.</summary>
    public static StateDict FromDiffusers(StateDict motion)
    {
        var official = new Dictionary<string, WeightTensor>();
        foreach (var (name, tensor) in motion)
        {
            var to = FromDiffusers(name);
            official.Add(to, tensor);
            if (to.EndsWith("attention_blocks.0.pos_encoder.pe", StringComparison.Ordinal) && motion.ContainsKey(name.Replace("pos_embed.pe", "attn2.to_q.weight")))
                official.Add(to.Replace("attention_blocks.0.", "attention_blocks.1."), tensor);
        }
        return new StateDict(motion.Path, official, motion.Metadata);
    }

    private static string InBlock(string name, Func<string, string> rename)
    {
        const string Blocks = "transformer_blocks.";
        var module = name.IndexOf(Motion, StringComparison.Ordinal);
        var at = module < 0 ? -1 : name.IndexOf(Blocks, module, StringComparison.Ordinal);
        if (at < 0)
            return name;
        var inner = name.IndexOf('.', at + Blocks.Length) + 1;
        return name[..inner] + rename(name[inner..]);
    }
}
