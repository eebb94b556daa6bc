using System.Text.RegularExpressions;
using AnimateDiff.Weights;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Finishing;

/// <summary>Files of upscalers under the names of <see cref="RrdbNet"/>: Real-ESRGAN's own, and those that the original ESRGAN numbered.</summary>
internal static partial class UpscaleLayout
{
    private static readonly string[] Wrappers = ["params_ema.", "params."];

    /// <summary>A file's tensors under the names of <see cref="RrdbNet"/>.</summary>
    public static StateDict Of(StateDict file)
    {
        var wrapper = Wrappers.FirstOrDefault(prefix => file.Keys.Any(name => name.StartsWith(prefix, StringComparison.Ordinal))) ?? "";
        var plain = file.Select(name => name.StartsWith(wrapper, StringComparison.Ordinal) ? name[wrapper.Length..] : null);
        if (!plain.ContainsKey("model.0.weight"))
            return plain;
        var last = plain.Keys.Select(name => OldBody().Match(name)).Where(match => match.Success).Select(match => int.Parse(match.Groups[1].Value)).DefaultIfEmpty(-1).Max();
        return plain.Select(name => OldName(name, last));
    }

    /// <summary>The shape of an upscaler, which its tensors tell.</summary>
    /// <exception cref="FileException">They are none of one that is known.</exception>
    public static RrdbConfig ConfigOf(StateDict weights)
    {
        var (first, dense) = (weights.GetValueOrDefault("conv_first.weight"), weights.GetValueOrDefault("body.0.rdb1.conv1.weight"));
        var blocks = weights.Keys.Count(name => name.StartsWith("body.", StringComparison.Ordinal) && name.EndsWith(".rdb1.conv1.weight", StringComparison.Ordinal));
        var shrink = first.Size(1) switch { 3 => 1, 12 => 2, 48 => 4, _ => 0 };
        return shrink > 0 && dense is not null ? new RrdbConfig(shrink, first.Size(0), dense.Size(0), blocks) : throw new FileException(weights.Path,
            $"{weights.Path} is no upscaler that is known here: expected the weights of ESRGAN or Real-ESRGAN, with tensors such as conv_first.weight and body.0.rdb1.conv1.weight, or model.0.weight and model.1.sub.0.RDB1.conv1.0.weight.");
    }

    private static string OldName(string name, int last)
    {
        if (OldBlock().Match(name) is { Success: true } block)
            return $"body.{block.Groups[1]}.rdb{block.Groups[2]}.conv{block.Groups[3]}.{block.Groups[4]}";
        var (stem, kind) = (name[..Math.Max(0, name.LastIndexOf('.'))], name[(name.LastIndexOf('.') + 1)..]);
        var now = stem switch
        {
            "model.0" => "conv_first",
            "model.3" => "conv_up1",
            "model.6" => "conv_up2",
            "model.8" => "conv_hr",
            "model.10" => "conv_last",
            _ => stem == $"model.1.sub.{last}" ? "conv_body" : null,
        };
        return now is null ? name : $"{now}.{kind}";
    }

    [GeneratedRegex(@"^model\.1\.sub\.(\d{1,4})\.")]
    private static partial Regex OldBody();

    [GeneratedRegex(@"^model\.1\.sub\.(\d{1,4})\.RDB([123])\.conv([1-5])\.0\.(weight|bias)$")]
    private static partial Regex OldBlock();
}
