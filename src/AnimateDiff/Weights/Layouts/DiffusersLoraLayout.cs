namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// LoRAs as diffusers writes them today (<c>unet.….lora_A.weight</c>), wrote them before (<c>.lora.down.weight</c>, <c>.lora_linear_layer.down.weight</c>), and as PEFT saves
/// them by itself (<c>base_model.model.….lora_A.weight</c>).
/// </summary>
internal static class DiffusersLoraLayout
{
    /// <summary>What PEFT puts in front of a model's own names.</summary>
    public const string PeftPrefix = "base_model.model.";

    private static readonly (string Suffix, LoraPart Part)[] Suffixes =
    [
        (".lora_A.weight", LoraPart.Down), (".lora_B.weight", LoraPart.Up),
        (".lora.down.weight", LoraPart.Down), (".lora.up.weight", LoraPart.Up),
        (".lora_linear_layer.down.weight", LoraPart.Down), (".lora_linear_layer.up.weight", LoraPart.Up),
        (".alpha", LoraPart.Alpha),
    ];

    /// <summary>Layer and part, or null when the name is spelled another way.</summary>
    public static LoraName? Parse(string name)
    {
        foreach (var (suffix, part) in Suffixes)
            if (name.EndsWith(suffix, StringComparison.Ordinal))
                return new LoraName(Module(name[..^suffix.Length]), part);
        return null;
    }

    /// <summary>Today's name.</summary>
    public static string Format(LoraName name) => $"{name.Module}.{(name.Part == LoraPart.Down ? "lora_A" : "lora_B")}.weight";

    private static string Module(string path)
    {
        if (path.StartsWith(PeftPrefix, StringComparison.Ordinal))
            path = path[PeftPrefix.Length..];
        if (path.StartsWith("unet.", StringComparison.Ordinal) || path.StartsWith("text_encoder", StringComparison.Ordinal))
            return path;
        return (path.StartsWith("text_model.", StringComparison.Ordinal) ? "text_encoder." : "unet.") + path;
    }
}
