namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// The UNet of the single files: blocks are counted straight through (<c>input_blocks.0…11</c>, <c>middle_block.0…2</c>, <c>output_blocks.0…11</c>), three entries to a resolution,
/// where diffusers counts resolutions and layers. Holds for SD1.x, SD2.x and SDXL, all of which have two layers per block.
/// </summary>
internal static class CompVisUNetLayout
{
    private const int EntriesPerBlock = 3;

    private static readonly Renames Ends = new(
        ("time_embed.0", "time_embedding.linear_1"), ("time_embed.2", "time_embedding.linear_2"),
        ("label_emb.0.0", "add_embedding.linear_1"), ("label_emb.0.2", "add_embedding.linear_2"),
        ("input_blocks.0.0", "conv_in"), ("out.0", "conv_norm_out"), ("out.2", "conv_out"),
        ("middle_block.1", "mid_block.attentions.0"));

    private static readonly Renames Resnet = new(
        ("in_layers.0", "norm1"), ("in_layers.2", "conv1"), ("out_layers.0", "norm2"), ("out_layers.3", "conv2"),
        ("emb_layers.1", "time_emb_proj"), ("skip_connection", "conv_shortcut"));

    /// <summary>Diffusers' name of a tensor (without <c>model.diffusion_model.</c>).</summary>
    public static string ToDiffusers(string name)
    {
        var parts = name.Split('.', 4);
        if (parts.Length < 4 || !int.TryParse(parts[1], out var entry))
            return Ends.ToDiffusers(name);
        var (part, rest) = (parts[2], parts[3]);
        switch (parts[0])
        {
            case "input_blocks" when entry > 0:
                var (block, layer) = Math.DivRem(entry - 1, EntriesPerBlock);
                if (layer == EntriesPerBlock - 1)
                    return $"down_blocks.{block}.downsamplers.0.conv.{rest[(rest.IndexOf('.') + 1)..]}";
                return part == "0" ? $"down_blocks.{block}.resnets.{layer}.{Resnet.ToDiffusers(rest)}" : $"down_blocks.{block}.attentions.{layer}.{rest}";
            case "middle_block" when entry != 1:
                return $"mid_block.resnets.{entry / 2}.{Resnet.ToDiffusers($"{part}.{rest}")}";
            case "output_blocks":
                (block, layer) = Math.DivRem(entry, EntriesPerBlock);
                if (part == "0")
                    return $"up_blocks.{block}.resnets.{layer}.{Resnet.ToDiffusers(rest)}";
                return rest.StartsWith("conv.", StringComparison.Ordinal)
                    ? $"up_blocks.{block}.upsamplers.0.{rest}" : $"up_blocks.{block}.attentions.{layer}.{rest}";
            default:
                return Ends.ToDiffusers(name);
        }
    }

    /// <summary>The single file's name of a tensor.</summary>
    /// <param name="name">Diffusers' name.</param>
    /// <param name="upBlockAttends">Whether an up block has attention: its upsampler comes after it.</param>
    public static string FromDiffusers(string name, Func<int, bool> upBlockAttends)
    {
        var parts = name.Split('.', 5);
        if (parts.Length < 4)
            return Ends.FromDiffusers(name);
        if (parts is ["mid_block", "resnets", var midLayer, ..])
            return $"middle_block.{2 * int.Parse(midLayer)}.{Resnet.FromDiffusers(string.Join('.', parts[3..]))}";
        if (parts.Length < 5 || parts[0] is not ("down_blocks" or "up_blocks"))
            return Ends.FromDiffusers(name);

        var (block, layer, rest) = (int.Parse(parts[1]), int.Parse(parts[3]), parts[4]);
        return (parts[0], parts[2]) switch
        {
            ("down_blocks", "resnets") => $"input_blocks.{EntriesPerBlock * block + layer + 1}.0.{Resnet.FromDiffusers(rest)}",
            ("down_blocks", "attentions") => $"input_blocks.{EntriesPerBlock * block + layer + 1}.1.{rest}",
            ("down_blocks", "downsamplers") => $"input_blocks.{EntriesPerBlock * (block + 1)}.0.op.{rest[(rest.IndexOf('.') + 1)..]}",
            ("up_blocks", "resnets") => $"output_blocks.{EntriesPerBlock * block + layer}.0.{Resnet.FromDiffusers(rest)}",
            ("up_blocks", "attentions") => $"output_blocks.{EntriesPerBlock * block + layer}.1.{rest}",
            ("up_blocks", "upsamplers") => $"output_blocks.{EntriesPerBlock * (block + 1) - 1}.{(upBlockAttends(block) ? 2 : 1)}.{rest}",
            _ => name,
        };
    }
}
