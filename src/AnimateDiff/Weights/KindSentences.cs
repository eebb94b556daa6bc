using AnimateDiff.Lora;

namespace AnimateDiff.Weights;

/// <summary>Says in words what was detected; the inspector and the refusals speak with the same words.</summary>
internal static class KindSentences
{
    /// <summary>The whole sentence.</summary>
    public static string Describe(ModelKind kind)
    {
        var details = new List<string>();
        if (kind.Motion is { } motion)
        {
            details.Add($"up to {motion.MaxFrames} frames{(motion.HasPositionEncoding || motion.IsConvolution ? "" : " (assumed)")}");
            if (motion.IsConvolution)
                details.Add("convolution along the frames instead of attention");
            details.Add(motion.MidBlock ? "with middle block" : "no middle block");
            details.Add($"β {motion.BetaSchedule}");
        }
        if (kind.Lora is { } lora)
        {
            details.Add($"{lora.Layers} layers of rank {string.Join(", ", lora.Ranks)}");
            details.Add(lora.HasAlpha ? "scaled by alpha / rank" : "no alpha");
            if (lora.Kind == LoraKind.MotionLora)
                details.Add(lora.MidBlock ? "made for v2 modules" : "made for v1 or v3 modules");
        }
        if (kind.IPAdapter is { } adapter)
            details.Add($"{(adapter.Tokens is { } tokens ? $"{tokens} tokens a picture" : "a token for each patch")}, {adapter.Layers} layers");
        if (kind.BlockWidths.Count > 0)
            details.Add($"channels {string.Join('-', kind.BlockWidths)}");
        if (kind.CrossAttentionWidth is { } cross)
            details.Add($"text width {cross}");
        details.Add($"{kind.ParameterCount:N0} parameters");
        if (kind.DTypes.Count > 0)
            details.Add(string.Join(" and ", kind.DTypes.Select(type => type.ToString().ToLowerInvariant())));
        var layout = kind.Layout == CheckpointLayout.Unknown ? "" : $" in the {Name(kind.Layout)} layout";
        var text = $"{Short(kind)}{layout}: {string.Join(", ", details)}.";
        return char.ToUpperInvariant(text[0]) + text[1..];
    }

    /// <summary>What it is, as it stands in the middle of a sentence.</summary>
    public static string Short(ModelKind kind)
    {
        var family = kind.Family == ModelFamily.Unknown ? "" : $" for {Name(kind.Family)}";
        return kind.Kind switch
        {
            CheckpointKind.BaseFile => $"an {Name(kind.Family)} checkpoint",
            CheckpointKind.BaseFolder => $"an {Name(kind.Family)} model folder",
            CheckpointKind.UNet => $"an {Name(kind.Family)} UNet",
            CheckpointKind.MotionUNet => $"an {Name(kind.Family)} UNet with {MotionShape.Name(kind.Motion!.Version)} motion modules",
            CheckpointKind.MotionModule => kind.Motion!.Version is MotionVersion.Sdxl or MotionVersion.HotShotXL
                ? (kind.Motion.Version == MotionVersion.Sdxl ? "an SDXL motion module" : "a Hotshot-XL motion module") : $"{(kind.Motion.Version == MotionVersion.AnimateLcm ? "an" : "a")} {MotionShape.Name(kind.Motion.Version)} motion module{family}",
            CheckpointKind.Vae => "a VAE",
            CheckpointKind.TextEncoder => "a CLIP text encoder",
            CheckpointKind.ImageEncoder => "a CLIP vision encoder",
            CheckpointKind.Clip => "a CLIP model",
            CheckpointKind.DomainAdapter => $"a domain adapter{family}",
            CheckpointKind.MotionLora => $"a MotionLoRA{family}",
            CheckpointKind.Lora => $"a LoRA{family}",
            CheckpointKind.ControlNet => $"a ControlNet{family}",
            CheckpointKind.SparseControlNet => $"a SparseCtrl encoder{family}",
            CheckpointKind.IPAdapter => $"an IP-Adapter{Name(kind.IPAdapter?.Variant)}{family}",
            CheckpointKind.TextualInversion => $"a textual inversion{family}",
            CheckpointKind.TuneAVideo => kind.BlockWidths.Count > 0 ? $"a Tune-A-Video model{family}" : "the temporal layers of a Tune-A-Video model",
            _ => "nothing known here",
        };
    }

    private static string Name(IPAdapterVariant? variant) => variant switch
    {
        IPAdapterVariant.Plus => " Plus",
        IPAdapterVariant.Full => " Full",
        IPAdapterVariant.FaceId => " FaceID",
        _ => "",
    };

    public static string Name(ModelFamily family) => family switch
    {
        ModelFamily.StableDiffusion1 => "SD1.5",
        ModelFamily.StableDiffusion2 => "SD2",
        ModelFamily.StableDiffusionXL => "SDXL",
        _ => "unknown",
    };

    public static string Name(CheckpointLayout layout) => layout switch
    {
        CheckpointLayout.LegacyDiffusers => "old diffusers",
        CheckpointLayout.CompVis => "CompVis",
        CheckpointLayout.Peft => "PEFT",
        _ => layout.ToString().ToLowerInvariant(),
    };
}
