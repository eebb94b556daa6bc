namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// The VAE of the single files and of the VAE files beside them (<c>vae-ft-mse-840000</c>): the decoder counts resolutions from fine to coarse, and the attention of the middle
/// consists of 1×1 convolutions where diffusers has linear layers.
/// </summary>
internal static class CompVisVaeLayout
{
    private static readonly Renames Resnet = new(("nin_shortcut", "conv_shortcut"));
    private static readonly Renames Attention = new(("norm", "group_norm"), ("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("proj_out", "to_out.0"));
    private static readonly Renames Coder = new(
        ("norm_out", "conv_norm_out"), ("mid.block_1", "mid_block.resnets.0"), ("mid.block_2", "mid_block.resnets.1"), ("mid.attn_1", "mid_block.attentions.0"));

    /// <summary>Whether these are a VAE's tensors in this layout (without <c>first_stage_model.</c>).</summary>
    public static bool Matches(IEnumerable<string> names) => names.Any(name => name.StartsWith("decoder.up.0.block.", StringComparison.Ordinal));

    /// <summary>The VAE under diffusers' names.</summary>
    public static StateDict ToDiffusers(StateDict vae)
    {
        var levels = Levels(vae.Keys, "decoder.up.");
        var renamed = new Dictionary<string, WeightTensor>();
        foreach (var (name, tensor) in vae)
            if (!name.StartsWith("loss.", StringComparison.Ordinal) && !name.StartsWith("model_ema.", StringComparison.Ordinal))
                renamed.Add(ToDiffusers(name, levels), IsAttentionWeight(name, ".mid.attn_1.", 4, tensor) ? tensor.Reshape(tensor.Shape[0], tensor.Shape[1]) : tensor);
        return new StateDict(vae.Path, renamed, vae.Metadata);
    }

    /// <summary>The VAE under the single file's names.</summary>
    public static StateDict FromDiffusers(StateDict vae)
    {
        var levels = Levels(vae.Keys, "decoder.up_blocks.");
        var renamed = new Dictionary<string, WeightTensor>();
        foreach (var (name, tensor) in vae)
            renamed.Add(FromDiffusers(name, levels), IsAttentionWeight(name, ".mid_block.attentions.", 2, tensor) ? tensor.Reshape(tensor.Shape[0], tensor.Shape[1], 1, 1) : tensor);
        return new StateDict(vae.Path, renamed, vae.Metadata);
    }

    private static string ToDiffusers(string name, int levels)
    {
        var (coder, rest) = SplitCoder(name);
        if (coder is null)
            return name;
        var parts = rest.Split('.', 5);
        if (parts.Length < 4 || parts[0] is not ("down" or "up"))
        {
            rest = Coder.ToDiffusers(rest);
            return coder + Middle(rest, Resnet.ToDiffusers, Attention.ToDiffusers);
        }
        var block = parts[0] == "up" ? levels - 1 - int.Parse(parts[1]) : int.Parse(parts[1]);
        return parts[2] == "block"
            ? $"{coder}{parts[0]}_blocks.{block}.resnets.{parts[3]}.{Resnet.ToDiffusers(parts[4])}"
            : $"{coder}{parts[0]}_blocks.{block}.{parts[0]}samplers.0.{string.Join('.', parts[3..])}";
    }

    private static string FromDiffusers(string name, int levels)
    {
        var (coder, rest) = SplitCoder(name);
        if (coder is null)
            return name;
        var parts = rest.Split('.', 5);
        if (parts.Length < 5 || parts[0] is not ("down_blocks" or "up_blocks"))
            return coder + Coder.FromDiffusers(Middle(rest, Resnet.FromDiffusers, Attention.FromDiffusers));
        var direction = parts[0][..^"_blocks".Length];
        var block = direction == "up" ? levels - 1 - int.Parse(parts[1]) : int.Parse(parts[1]);
        return parts[2] == "resnets"
            ? $"{coder}{direction}.{block}.block.{parts[3]}.{Resnet.FromDiffusers(parts[4])}"
            : $"{coder}{direction}.{block}.{direction}sample.{parts[4]}";
    }

    /// <summary>Renames what is inside the middle's resnets and attention, whose own names are diffusers' here.</summary>
    private static string Middle(string name, Func<string, string> resnet, Func<string, string> attention)
    {
        var parts = name.Split('.', 4);
        return parts switch
        {
            ["mid_block", "resnets", var layer, var rest] => $"mid_block.resnets.{layer}.{resnet(rest)}",
            ["mid_block", "attentions", var layer, var rest] => $"mid_block.attentions.{layer}.{attention(rest)}",
            _ => name,
        };
    }

    private static bool IsAttentionWeight(string name, string part, int dimensions, WeightTensor tensor)
        => tensor.Shape.Count == dimensions && name.Contains(part, StringComparison.Ordinal);

    private static (string? Coder, string Inner) SplitCoder(string name)
    {
        foreach (var coder in new[] { "encoder.", "decoder." })
            if (name.StartsWith(coder, StringComparison.Ordinal))
                return (coder, name[coder.Length..]);
        return (null, name);
    }

    private static int Levels(IEnumerable<string> names, string prefix) => NameParts.Count(names, prefix);
}
