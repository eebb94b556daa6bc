using AnimateDiff.Denoising;
using AnimateDiff.Layers;

namespace AnimateDiff.Sampling;

/// <summary>What a request changes within the UNet.</summary>
internal static class UNetChanges
{
    /// <summary>Puts FreeU and FreeNoise in place, or takes them out where the request has none.</summary>
    public static void Apply(UNetMotionModel unet, GenerationRequest request)
    {
        var free = request.FreeU;
        UpBlock[] blocks = [.. unet.modules().OfType<UpBlock>()];                                             // innermost first
        for (var level = 0; level < blocks.Length; level++)
            blocks[level].SkipFilter = (free, level) switch
            {
                ({ }, 0) => new(free.B1, free.S1),
                ({ }, 1) => new(free.B2, free.S2),
                _ => null,
            };
        foreach (var block in unet.modules().OfType<TemporalTransformerBlock>())
            block.Windows = request.FreeNoise is var (length, stride) ? new FrameWindows(length, stride) : null;
    }

    /// <summary>The self-attentions that a request perturbs.</summary>
    /// <exception cref="RequestException">One of its expressions matches no layer.</exception>
    public static IReadOnlyList<Attention> Perturbed(UNetMotionModel unet, PerturbedAttention? request)
    {
        if (request is not { Scale: > 0 })
            return [];
        var text = unet.modules().OfType<SpatialTransformerBlock>().Select(block => block.CrossAttention).ToHashSet();
        (string Name, Attention Layer)[] layers = [.. unet.named_modules().Select(module => (module.name, module.module as Attention)).Where(module => module.Item2 is { } layer && !text.Contains(layer))!];
        var chosen = new List<Attention>();
        foreach (var expression in request.Expressions)
        {
            var found = layers.Where(layer => expression.IsMatch(layer.Name)).Select(layer => layer.Layer).ToArray();
            if (found.Length == 0)
                throw new RequestException($"Perturbed-attention guidance is asked for in the layers {expression}, which match no self-attention: expected part of a name such as {layers[0].Name}, or mid.");
            chosen.AddRange(found);
        }
        return [.. chosen.Distinct()];
    }
}
