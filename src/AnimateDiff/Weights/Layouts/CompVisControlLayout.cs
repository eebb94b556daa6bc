namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// ControlNets as their authors publish them, alone or beside the Stable Diffusion that they were trained on: the way down of the single files' UNet, and what is added to it.
/// </summary>
internal static class CompVisControlLayout
{
    private const string Prefix = "control_model.", Hint = "input_hint_block";

    /// <summary>Layers of the hint block are counted with the activations between them, and the last one takes the features to the width of the UNet.</summary>
    private const int HintStride = 2, LastHint = 14;

    private static readonly Renames Ends = new(("middle_block_out.0", "controlnet_mid_block"),
        ($"{Hint}.0", "controlnet_cond_embedding.conv_in"), ($"{Hint}.{LastHint}", "controlnet_cond_embedding.conv_out"));

    /// <summary>Whether these are such a file's names, with or without the prefix.</summary>
    public static bool Matches(StateDict file) => file.Has(Prefix) || file.Has(Hint + ".");

    /// <summary>The ControlNet under diffusers' names, without what is beside it.</summary>
    public static StateDict ToDiffusers(StateDict file) => (file.Has(Prefix) ? file.Below(Prefix) : file).Select(ToDiffusers);

    /// <summary>Diffusers' name of a tensor (without <c>control_model.</c>).</summary>
    public static string ToDiffusers(string name)
    {
        if (Ends.ToDiffusers(name) is var renamed && renamed != name)
            return renamed;
        return name.Split('.') switch
        {
            ["zero_convs", var level, "0", var rest] => $"controlnet_down_blocks.{level}.{rest}",
            [Hint, var place, var rest] when int.TryParse(place, out var layer) => $"controlnet_cond_embedding.blocks.{layer / HintStride - 1}.{rest}",
            _ => CompVisUNetLayout.ToDiffusers(name),
        };
    }
}
