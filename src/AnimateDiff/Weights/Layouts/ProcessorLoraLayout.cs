using System.Text.RegularExpressions;

namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// LoRAs named after attention processors: the official domain adapter and MotionLoRAs (no prefix, motion modules under official names), their mirrors for diffusers
/// (<c>unet.</c> in front, diffusers' names) and diffusers' own files of 2023. No alpha: the change is applied at full scale.
/// </summary>
/// <remarks>MotionDirector's writer turns <c>X.Y</c> into <c>X.processor.Y_lora</c> for every layer, so that its output projection reads <c>to_out.processor.0_lora</c>.</remarks>
internal static partial class ProcessorLoraLayout
{
    /// <summary>Layer and part, or null when the name is spelled another way.</summary>
    public static LoraName? Parse(string name)
    {
        if (Spelling().Match(name) is not { Success: true } match)
            return null;
        var (path, layer) = (match.Groups["path"].Value, match.Groups["layer"].Value);
        var module = path.StartsWith("unet.", StringComparison.Ordinal) || path.StartsWith("text_encoder", StringComparison.Ordinal) ? path : "unet." + path;
        if (module.StartsWith("text_encoder", StringComparison.Ordinal))
            layer = layer switch { "to_q" => "q_proj", "to_k" => "k_proj", "to_v" => "v_proj", "to_out" => "out_proj", _ => layer };
        else if (layer == "to_out")
            layer = "to_out.0";
        return new LoraName(OfficialMotionLayout.ToDiffusers($"{module}.{layer}")!, match.Groups["part"].Value == "down" ? LoraPart.Down : LoraPart.Up);
    }

    /// <summary>The official name of a UNet layer.</summary>
    public static string Official(LoraName name) => OfficialMotionLayout.FromDiffusers(Mirror(name)["unet.".Length..]);

    /// <summary>The name in the mirrors for diffusers.</summary>
    public static string Mirror(LoraName name)
    {
        var module = name.Module.EndsWith(".to_out.0", StringComparison.Ordinal) ? name.Module[..^".0".Length] : name.Module;
        var layer = module.LastIndexOf('.');
        return $"{module[..layer]}.processor.{module[(layer + 1)..]}_lora.{(name.Part == LoraPart.Down ? "down" : "up")}.weight";
    }

    [GeneratedRegex(@"^(?<path>.+?)\.(processor\.)?(?<layer>\w+)_lora\.(?<part>down|up)\.weight$")]
    private static partial Regex Spelling();
}
