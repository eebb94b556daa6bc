namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// Single-file Stable Diffusion, the layout of CompVis, which the personalised checkpoints use: UNet, VAE and text encoder side by side under three prefixes. Everything else
/// in such a file (<c>model_ema.*</c>, the schedule's buffers, <c>logit_scale</c>) belongs to training and is left out.
/// </summary>
internal static class CompVisLayout
{
    private const string UNetPrefix = "model.diffusion_model.";
    private const string VaePrefix = "first_stage_model.";
    private const string ClipPrefix = "cond_stage_model.transformer.";
    private const string SdxlClipPrefix = "conditioner.embedders.0.transformer.";
    private const string SdxlOpenClipPrefix = "conditioner.embedders.1.model.";

    /// <summary>The four parts a file can have; what it lacks is null.</summary>
    public sealed record Parts(StateDict? UNet, StateDict? Vae, StateDict? TextEncoder, StateDict? TextEncoder2);

    /// <summary>Whether these are a single file's names.</summary>
    public static bool Matches(IEnumerable<string> names) => names.Any(name => name.StartsWith(UNetPrefix, StringComparison.Ordinal));

    /// <summary>The parts under diffusers' names.</summary>
    public static Parts ToDiffusers(StateDict file) => new(
        Part(file, UNetPrefix)?.Select(CompVisUNetLayout.ToDiffusers),
        Part(file, VaePrefix) is { } vae ? CompVisVaeLayout.ToDiffusers(vae) : null,
        (Part(file, ClipPrefix) ?? Part(file, SdxlClipPrefix))?.Select(ClipName),
        Part(file, SdxlOpenClipPrefix) is { } second ? OpenClipLayout.ToDiffusers(second) : null);

    /// <summary>One single file of the parts, which carry diffusers' names.</summary>
    /// <param name="path">Where they come from, for messages.</param>
    /// <param name="parts">The parts; SDXL has a second text encoder.</param>
    public static StateDict FromDiffusers(string path, Parts parts)
    {
        var file = new Dictionary<string, WeightTensor>();
        void Add(string prefix, IEnumerable<KeyValuePair<string, WeightTensor>> part)
        {
            foreach (var (name, tensor) in part)
                file.Add(prefix + name, tensor);
        }
        if (parts.UNet is { } unet)
            Add(UNetPrefix, unet.Select(name => CompVisUNetLayout.FromDiffusers(name, block => unet.Has($"up_blocks.{block}.attentions."))));
        if (parts.Vae is { } vae)
            Add(VaePrefix, CompVisVaeLayout.FromDiffusers(vae));
        if (parts.TextEncoder is { } clip)
            Add(parts.TextEncoder2 is null ? ClipPrefix : SdxlClipPrefix, clip);
        if (parts.TextEncoder2 is { } second)
            Add(SdxlOpenClipPrefix, OpenClipLayout.FromDiffusers(second));
        return new StateDict(path, file);
    }

    /// <summary>Today's name of a CLIP tensor: some merges leave out <c>text_model.</c>; the projection is not part of SD1.x.</summary>
    private static string? ClipName(string name)
    {
        if (name.EndsWith("position_ids", StringComparison.Ordinal) || name.StartsWith("text_projection", StringComparison.Ordinal))
            return null;
        return name.StartsWith("text_model.", StringComparison.Ordinal) ? name : "text_model." + name;
    }

    private static StateDict? Part(StateDict file, string prefix) => file.Has(prefix) ? file.Below(prefix) : null;
}
