namespace AnimateDiff.Weights;

/// <summary>Layouts a checkpoint can be converted to.</summary>
public enum ConversionTarget
{
    /// <summary>Diffusers: a folder for models, one file for LoRAs.</summary>
    Diffusers,
    /// <summary>The official AnimateDiff code: motion modules, MotionLoRAs, domain adapters.</summary>
    Official,
    /// <summary>kohya's: LoRAs on the image layers and the text encoder.</summary>
    Kohya,
    /// <summary>One file with UNet, VAE and text encoder.</summary>
    CompVis,
}

/// <summary>What a conversion wrote.</summary>
/// <param name="Path">File or folder.</param>
/// <param name="Kind">What it holds.</param>
/// <param name="Notes">What a user should know about it, as sentences.</param>
public sealed record ConversionResult(string Path, ModelKind Kind, IReadOnlyList<string> Notes);

/// <summary>
/// Turns checkpoints of one layout into another. Tensors keep their bits unless a type is asked for, so there and back gives the file one started from; what does not hold for a
/// direction is said in the notes.
/// </summary>
public static class CheckpointConverter
{
    /// <summary>Converts a base model, a motion module or a LoRA.</summary>
    /// <param name="input">File or folder of any layout.</param>
    /// <param name="output">A folder for a model in the diffusers layout, a .safetensors file for anything else. It appears only when it is whole.</param>
    /// <param name="to">Layout to write.</param>
    /// <param name="dtype">Type of the floating point tensors (fp16, bf16 or fp32), or null to keep each one's own.</param>
    /// <param name="overwrite">Whether an existing output is replaced.</param>
    /// <exception cref="RequestException">The direction makes no sense, or the output exists.</exception>
    /// <exception cref="FileException">The input is missing, damaged or of no kind that is known, or the output cannot be written.</exception>
    public static ConversionResult Convert(string input, string output, ConversionTarget to, ScalarType? dtype = null, bool overwrite = false)
    {
        if (dtype is not (null or ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32))
            throw new RequestException($"Weights are not converted to {dtype}; choose fp16, bf16 or fp32.");
        var kind = CheckpointInspector.KindOf(input);
        var writer = new CheckpointWriter(input, output, dtype, overwrite);
        var notes = (kind.Kind, to) switch
        {
            (CheckpointKind.BaseFile or CheckpointKind.BaseFolder, ConversionTarget.Diffusers) => BaseConversion.ToFolder(input, writer),
            (CheckpointKind.BaseFile or CheckpointKind.BaseFolder, ConversionTarget.CompVis) => BaseConversion.ToSingleFile(input, writer),
            (CheckpointKind.MotionModule or CheckpointKind.MotionUNet, ConversionTarget.Diffusers or ConversionTarget.Official) => MotionConversion.Convert(input, to, writer),
            (CheckpointKind.DomainAdapter or CheckpointKind.MotionLora or CheckpointKind.Lora, not ConversionTarget.CompVis) => LoraConversion.Convert(input, kind, to, writer),
            _ => throw new RequestException($"{input} is {KindSentences.Short(kind)}, which cannot be converted to {to.ToString().ToLowerInvariant()}: {Reason(kind, to)}."),
        };
        return new ConversionResult(output, CheckpointInspector.KindOf(output), notes);
    }

    private static string Reason(ModelKind kind, ConversionTarget to) => (kind.Kind, to) switch
    {
        (CheckpointKind.BaseFile or CheckpointKind.BaseFolder, ConversionTarget.Kohya) => "kohya's layout is for LoRAs; choose diffusers or compvis",
        (CheckpointKind.BaseFile or CheckpointKind.BaseFolder, _) => "the official code has no base model layout of its own; choose diffusers or compvis",
        (CheckpointKind.MotionModule or CheckpointKind.MotionUNet, ConversionTarget.Kohya) => "kohya's layout is for LoRAs; choose official or diffusers",
        (CheckpointKind.MotionModule or CheckpointKind.MotionUNet, _) => "single files hold no motion modules; choose official or diffusers",
        (CheckpointKind.DomainAdapter or CheckpointKind.MotionLora or CheckpointKind.Lora, _) => "a LoRA is no base model; choose diffusers, official or kohya",
        (CheckpointKind.TuneAVideo, _) => "no other layout has its attention along the frames",
        (CheckpointKind.Unknown, _) => "none of the layouts known here fits its tensors, which 'animatediff inspect' lists",
        _ => "only base models, motion modules and LoRAs are converted",
    };
}
