using System.Text;
using TorchSharp.Modules;

namespace AnimateDiff.Lora;

/// <summary>Whether an adapter fits a model, and if not, why: nearly always it was made for another base.</summary>
internal static class LoraFit
{
    private const int Shown = 10;

    /// <summary>Compares names and shapes; returns the layers that the model may lack.</summary>
    /// <exception cref="FileException">A layer is missing or of another shape; the message lists which.</exception>
    public static IReadOnlyList<string> Check(LoraWeights weights, Func<string, Parameter?> weightOf)
    {
        var hasMotionInMidBlock = weightOf("unet.mid_block.motion_modules.0.proj_in") is not null;
        List<string> skipped = [], missing = [], mismatches = [];
        foreach (var (path, layer) in weights.Layers)
        {
            if (weightOf(path) is not { } weight)
                (weights.Kind == LoraKind.MotionLora && path.StartsWith("unet.mid_block.") && !hasMotionInMidBlock ? skipped : missing).Add(path);
            else if (!Fits(layer, weight.shape))
                mismatches.Add($"{path}: found {Show(layer.Up.Shape)} · {Show(layer.Down.Shape)}, expected their product to be {Show(weight.shape)}");
            else if (!double.IsFinite(layer.Scale))
                mismatches.Add($"{path}: found the scale {layer.Scale}, expected a finite number");
        }
        if (skipped.Count == weights.Layers.Count)
            missing.AddRange(skipped);
        if (missing.Count + mismatches.Count == 0)
            return skipped;
        throw new FileException(weights.Path, Describe(weights, missing, mismatches, weightOf));
    }

    /// <summary>Up · Down has the shape of the weight; a 1×1 convolution and a linear layer are the same to it.</summary>
    private static bool Fits(LoraLayer layer, long[] weight)
    {
        long[] up = [.. layer.Up.Shape], down = [.. layer.Down.Shape];
        if (up is not [var outputs, var rankUp, .. var upWindow] || down is not [var rank, var inputs, .. var window]
            || weight is not [var ownOutputs, var ownInputs, .. var ownWindow])
            return false;
        return rank == rankUp && outputs == ownOutputs && inputs == ownInputs
            && Array.TrueForAll(upWindow, size => size == 1)
            && (window.AsSpan().SequenceEqual(ownWindow) || window.Concat(ownWindow).All(size => size == 1));
    }

    private static string Describe(LoraWeights weights, List<string> missing, List<string> mismatches, Func<string, Parameter?> weightOf)
    {
        var found = BaseOf(weights.Layers.Select(layer => (layer.Key, (IReadOnlyList<long>?)layer.Value.Down.Shape)));
        var own = BaseOf(weights.Layers.Keys.Select(path => (path, (IReadOnlyList<long>?)weightOf(path)?.shape)));
        var other = own is null || own == found ? "" : $", and this is {own}";
        var guess = found is null ? "choose one that was made for this base model" : $"it seems made for {found}{other}";
        var text = new StringBuilder(
            $"{weights.Path} does not fit this model: of its {weights.Layers.Count} layers {missing.Count} are missing and {mismatches.Count} are of another shape; {guess}.");
        foreach (var (title, lines) in new[] { ("missing", missing), ("another shape", mismatches) })
        {
            foreach (var line in lines.Take(Shown))
                text.Append($"\n  {title}: {line}");
            if (lines.Count > Shown)
                text.Append($"\n  … and {lines.Count - Shown} more {title}");
        }
        return text.ToString();
    }

    /// <summary>The width of the text that a cross-attention reads tells the base model.</summary>
    private static string? BaseOf(IEnumerable<(string Path, IReadOnlyList<long>? Shape)> layers)
    {
        var width = layers
            .FirstOrDefault(layer => layer.Shape is { Count: >= 2 } && (layer.Path.EndsWith("attn2.to_k") || layer.Path.EndsWith("attn2.to_v"))).Shape?[1];
        return width switch
        {
            768 => "Stable Diffusion 1.x",
            1024 => "Stable Diffusion 2.x",
            2048 => "SDXL",
            _ => null,
        };
    }

    private static string Show(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";
}
