namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// LoRAs of kohya's trainer and of most sites: the module path with <c>_</c> for every dot, after <c>lora_unet_</c>, <c>lora_te_</c> (SD1.x), <c>lora_te1_</c> and
/// <c>lora_te2_</c> (SDXL), with an alpha beside each layer. The underscores cannot be undone by rule, so the names of our own modules are looked up.
/// </summary>
internal static class KohyaLoraLayout
{
    private static readonly (string Suffix, LoraPart Part)[] Suffixes =
        [(".lora_down.weight", LoraPart.Down), (".lora_up.weight", LoraPart.Up), (".alpha", LoraPart.Alpha)];

    private static readonly (string Foreign, string Component)[] Components =
        [("lora_unet_", "unet."), ("lora_te_", "text_encoder."), ("lora_te1_", "text_encoder."), ("lora_te2_", "text_encoder_2.")];

    private static readonly Lazy<Dictionary<string, string>> UNetModules = new(() =>
    {
        var modules = ModuleNames.UNet().ToDictionary(Flat);
        // SDXL LoRAs are trained on the single file's UNet and name its blocks.
        foreach (var module in ModuleNames.UNet())
            modules.TryAdd(Flat(CompVisModule(module)), module);
        return modules;
    });

    private static readonly Lazy<Dictionary<string, string>> TextModules = new(() => ModuleNames.TextEncoder().ToDictionary(Flat));

    /// <summary>Whether a name is in this layout.</summary>
    public static bool Matches(string name) => Components.Any(component => name.StartsWith(component.Foreign, StringComparison.Ordinal));

    /// <summary>Layer and part, or null when the name is spelled another way or means no layer of Stable Diffusion.</summary>
    public static LoraName? Parse(string name)
    {
        foreach (var (foreign, component) in Components)
            foreach (var (suffix, part) in Suffixes)
                if (name.StartsWith(foreign, StringComparison.Ordinal) && name.EndsWith(suffix, StringComparison.Ordinal))
                {
                    var modules = component == "unet." ? UNetModules.Value : TextModules.Value;
                    return modules.TryGetValue(name[foreign.Length..^suffix.Length], out var module) ? new LoraName(component + module, part) : null;
                }
        return null;
    }

    /// <summary>Kohya's name.</summary>
    /// <param name="name">Layer and part.</param>
    /// <param name="sdxl">Whether it is for SDXL, where the UNet's blocks are named as in the single file and there are two text encoders.</param>
    public static string Format(LoraName name, bool sdxl)
    {
        var component = Components.First(component => name.Module.StartsWith(component.Component, StringComparison.Ordinal));
        var module = name.Module[component.Component.Length..];
        if (sdxl && component.Component == "unet.")
            module = CompVisModule(module);
        var foreign = sdxl && component.Foreign == "lora_te_" ? "lora_te1_" : component.Foreign;
        return foreign + Flat(module) + Suffixes.First(suffix => suffix.Part == name.Part).Suffix;
    }

    private static string Flat(string module) => module.Replace('.', '_');

    private static string CompVisModule(string module)
        => CompVisUNetLayout.FromDiffusers(module + ".weight", upBlockAttends: static _ => true)[..^".weight".Length];
}
