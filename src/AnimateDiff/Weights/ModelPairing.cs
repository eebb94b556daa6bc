namespace AnimateDiff.Weights;

/// <summary>
/// Refuses pairs of files that do not belong together, with the reason. Most of them would load and give noise: a checker that knows the versions is what users of AnimateDiff miss most.
/// </summary>
public static class ModelPairing
{
    /// <summary>Refuses anything but a whole base model.</summary>
    /// <exception cref="FileException">It is something else.</exception>
    public static void RequireBase(string path, ModelKind kind)
    {
        if (kind.Kind is not (CheckpointKind.BaseFile or CheckpointKind.BaseFolder))
            throw new FileException(path, $"{path} is {KindSentences.Short(kind)}, not a base model{Remedy(kind)}.");
    }

    /// <summary>Refuses anything but a motion module.</summary>
    /// <exception cref="FileException">It is something else.</exception>
    public static void RequireMotion(string path, ModelKind kind)
    {
        if (kind.Motion is null)
            throw new FileException(path, $"{path} is {KindSentences.Short(kind)}, not a motion module{Remedy(kind)}.");
    }

    /// <summary>Refuses a motion module on another family of base model or on other widths.</summary>
    /// <exception cref="FileException">They do not go together.</exception>
    public static void CheckMotion(string path, ModelKind motion, ModelKind baseModel)
    {
        RequireMotion(path, motion);
        if (baseModel.IsTuneAVideo)
            throw new FileException(path, $"{path} is {KindSentences.Short(motion)}, but the base is {KindSentences.Short(baseModel)}, which moves by itself; leave out --motion, or use the base model that it was tuned from.");
        CheckFamily(path, motion, baseModel);
        CheckWidths(path, motion, baseModel);
    }

    /// <summary>Refuses what is no domain adapter, or one for another base model.</summary>
    /// <exception cref="FileException">They do not go together.</exception>
    public static void CheckDomainAdapter(string path, ModelKind adapter, ModelKind baseModel)
    {
        if (adapter.Kind != CheckpointKind.DomainAdapter)
            throw new FileException(path, $"{path} is {KindSentences.Short(adapter)}, not a domain adapter{Remedy(adapter)}.");
        CheckFamily(path, adapter, baseModel);
        CheckWidths(path, adapter, baseModel);
    }

    /// <summary>Refuses what is no MotionLoRA, and one trained on another version's motion module.</summary>
    /// <param name="path">The MotionLoRA's file.</param>
    /// <param name="lora">What was detected in it.</param>
    /// <param name="motion">The motion module it is to change.</param>
    /// <param name="force">Whether to let it pass on another version all the same; layers that the module lacks are then left out.</param>
    /// <exception cref="FileException">They do not go together.</exception>
    public static void CheckMotionLora(string path, ModelKind lora, ModelKind motion, bool force = false)
    {
        if (lora.Kind != CheckpointKind.MotionLora)
            throw new FileException(path, $"{path} is {KindSentences.Short(lora)}, not a MotionLoRA{Remedy(lora)}.");
        CheckFamily(path, lora, motion);
        CheckWidths(path, lora, motion);
        if (motion.Motion!.IsConvolution)
            throw new FileException(path, $"{path} is a MotionLoRA, which changes the attention along the frames, but the motion module has convolutions in its place; "
                + "leave the MotionLoRA out, or use a motion module with attention.");
        if (!force && lora.Lora!.MidBlock != motion.Motion.MidBlock)
        {
            var (made, use) = lora.Lora.MidBlock ? ("v2 motion modules (it changes the middle block)", "v2") : ("v1 or v3 motion modules (it leaves the middle block out)", "v1 or v3");
            throw new FileException(path, $"{path} is a MotionLoRA made for {made}, but the motion module is {MotionShape.Name(motion.Motion.Version)}; "
                + $"use a {use} module, or force it and expect a weaker or wrong movement.");
        }
    }

    /// <summary>Refuses what is no LoRA for the image layers, or one for another base model. A domain adapter is one of these and may be used as such.</summary>
    /// <exception cref="FileException">They do not go together.</exception>
    public static void CheckLora(string path, ModelKind lora, ModelKind baseModel)
    {
        if (lora.Kind is not (CheckpointKind.Lora or CheckpointKind.DomainAdapter))
            throw new FileException(path, $"{path} is {KindSentences.Short(lora)}, not a LoRA for the image layers{Remedy(lora)}.");
        CheckFamily(path, lora, baseModel);
        CheckWidths(path, lora, baseModel);
    }

    /// <summary>Refuses a ControlNet, SparseCtrl encoder or IP-Adapter for another base model.</summary>
    /// <exception cref="FileException">They do not go together.</exception>
    public static void CheckControl(string path, ModelKind control, CheckpointKind expected, ModelKind baseModel)
    {
        if (control.Kind != expected)
            throw new FileException(path, $"{path} is {KindSentences.Short(control)}, not {KindSentences.Short(new ModelKind { Kind = expected })}{Remedy(control)}.");
        CheckFamily(path, control, baseModel);
        CheckWidths(path, control, baseModel);
    }

    /// <summary>Which option takes a file of this kind, as the end of a sentence.</summary>
    internal static string Remedy(ModelKind kind) => kind.Kind switch
    {
        CheckpointKind.BaseFile or CheckpointKind.BaseFolder => "; give it as --base",
        CheckpointKind.MotionModule or CheckpointKind.MotionUNet => "; give it as --motion",
        CheckpointKind.DomainAdapter => "; give it as --domain-adapter",
        CheckpointKind.MotionLora => "; give it as --motion-lora",
        CheckpointKind.Lora => "; give it as --lora",
        CheckpointKind.ControlNet => "; give it as --controlnet",
        CheckpointKind.SparseControlNet => "; give it as --sparsectrl",
        CheckpointKind.IPAdapter => "; give it as --ip-adapter",
        CheckpointKind.TuneAVideo => "; name the whole folder of the tuned model as --base",
        CheckpointKind.UNet or CheckpointKind.Vae or CheckpointKind.TextEncoder => "; it is one part of a base model, so name the whole folder as --base",
        CheckpointKind.Unknown => "; 'animatediff inspect' lists its tensors",
        _ => "",
    };

    private static void CheckFamily(string path, ModelKind part, ModelKind other)
    {
        if (part.Family != ModelFamily.Unknown && other.Family != ModelFamily.Unknown && part.Family != other.Family)
            throw new FileException(path, $"{path} is {KindSentences.Short(part)}, but it is to go with {KindSentences.Short(other)}; use one made for {KindSentences.Name(other.Family)}.");
    }

    private static void CheckWidths(string path, ModelKind part, ModelKind other)
    {
        for (var block = 0; block < Math.Min(part.BlockWidths.Count, other.BlockWidths.Count); block++)
            if (part.BlockWidths[block] != 0 && other.BlockWidths[block] != 0 && part.BlockWidths[block] != other.BlockWidths[block])
                throw new FileException(path, $"{path} is {KindSentences.Short(part)} with {part.BlockWidths[block]} channels in block {block}, but it is to go with {KindSentences.Short(other)} "
                    + $"with {other.BlockWidths[block]}; it was made for a model of another size.");
        if (part.CrossAttentionWidth is { } width && other.CrossAttentionWidth is { } expected && width != expected)
            throw new FileException(path, $"{path} is {KindSentences.Short(part)} for text embeddings of width {width}, but it is to go with {KindSentences.Short(other)} of width {expected}; "
                + "it was made for another base model.");
    }
}
