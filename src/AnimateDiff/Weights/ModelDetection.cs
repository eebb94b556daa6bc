using System.Text.RegularExpressions;
using AnimateDiff.Lora;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>Tells what a state dict is from the names and shapes of its tensors; file names are never asked.</summary>
public static partial class ModelDetection
{
    private const int CrossAttentionsOfSd1 = 16, CrossAttentionsOfSdxl = 70;

    /// <summary>Looks at the tensors of one file, or of one model folder.</summary>
    /// <param name="file">The tensors under the file's own names.</param>
    public static ModelKind Detect(StateDict file) => Detect(file, configuredPositions: null);

    /// <summary>The same for a motion adapter's folder, whose configuration knows the length of a position encoding that the file lacks.</summary>
    internal static ModelKind Detect(StateDict file, int? configuredPositions)
    {
        var tensors = Wrappers.Strip(file);
        var kind = Identify(tensors, configuredPositions) with
        {
            ParameterCount = tensors.Values.Sum(tensor => tensor.ElementCount),
            DTypes = [.. tensors.Values.Where(tensor => tensor.IsFloating()).Select(tensor => tensor.DType).Distinct().Order()],
        };
        return kind with { Sentence = KindSentences.Describe(kind) };
    }

    private static ModelKind Identify(StateDict file, int? configuredPositions)
    {
        if (TextualInversion(file) is { } embedding)
            return embedding;
        if (file.Has("ip_adapter.") || file.Has("image_proj."))
            return IPAdapter(file);
        if (LoraTensors.Matches(file.Keys))
            return Lora(file);
        if (CompVisControlLayout.Matches(file))
            return Of(CheckpointKind.ControlNet, CheckpointLayout.CompVis, UNetShape.Of(CompVisControlLayout.ToDiffusers(file)));
        if (file.Has("controlnet_down_blocks.") || file.Has("controlnet_cond_embedding."))
            return Control(file);
        if (CompVisLayout.Matches(file.Keys))
            return Of(CheckpointKind.BaseFile, CheckpointLayout.CompVis, UNetShape.Of(CompVisLayout.ToDiffusers(file).UNet!));
        if (file.Mentions(".motion_modules.") || file.Mentions(".temporal_attentions."))
            return Motion(file, configuredPositions);
        if (file.Mentions(".attn_temp."))
            return UNetShape.Matches(file) ? Of(CheckpointKind.TuneAVideo, CheckpointLayout.Diffusers, UNetShape.Of(file))
                : new ModelKind { Kind = CheckpointKind.TuneAVideo, Layout = CheckpointLayout.Diffusers };
        if (UNetShape.Matches(file))
            return Of(CheckpointKind.UNet, CheckpointLayout.Diffusers, UNetShape.Of(file));
        if (file.Has("encoder.conv_in.") && file.Has("decoder.conv_in."))
            return new ModelKind
            {
                Kind = CheckpointKind.Vae,
                Layout = CompVisVaeLayout.Matches(file.Keys) ? CheckpointLayout.CompVis : DiffusersLayout(file),
            };
        if (file.Has("text_model.") || file.Has("vision_model."))
            return new ModelKind
            {
                Kind = !file.Has("vision_model.") ? CheckpointKind.TextEncoder : file.Has("text_model.") ? CheckpointKind.Clip : CheckpointKind.ImageEncoder,
                Layout = DiffusersLayout(file),
            };
        return new ModelKind { Kind = CheckpointKind.Unknown };
    }

    private static CheckpointLayout DiffusersLayout(StateDict file) => LegacyDiffusersLayout.Matches(file.Keys) ? CheckpointLayout.LegacyDiffusers : CheckpointLayout.Diffusers;

    private static ModelKind Of(CheckpointKind kind, CheckpointLayout layout, UNetShape shape)
        => new() { Kind = kind, Layout = layout, Family = shape.Family, BlockWidths = shape.Widths, CrossAttentionWidth = shape.CrossAttentionWidth };

    private static ModelKind Motion(StateDict file, int? configuredPositions)
    {
        var official = OfficialMotionLayout.Matches(file.Keys) || file.Mentions(".temporal_attentions.");
        var motion = file.Select(OfficialMotionLayout.ToDiffusers);
        var shape = MotionShape.Of(motion, configuredPositions);
        return new ModelKind
        {
            Kind = UNetShape.Matches(motion) ? CheckpointKind.MotionUNet : CheckpointKind.MotionModule,
            Layout = official ? CheckpointLayout.Official : CheckpointLayout.Diffusers,
            Family = shape.Family,
            Motion = shape.Traits,
            BlockWidths = shape.Widths,
            Warnings = shape.Warnings,
        };
    }

    private static ModelKind Control(StateDict file)
    {
        var sparse = file.Mentions(".motion_modules.");
        var layout = OfficialMotionLayout.Matches(file.Keys) ? CheckpointLayout.Official : CheckpointLayout.Diffusers;
        return Of(sparse ? CheckpointKind.SparseControlNet : CheckpointKind.ControlNet, layout, UNetShape.Of(file));
    }

    private static ModelKind IPAdapter(StateDict file)
    {
        var traits = IPAdapterLayout.Traits(file);
        return new ModelKind
        {
            Kind = CheckpointKind.IPAdapter,
            Layout = CheckpointLayout.Official,
            Family = traits.Layers switch
            {
                CrossAttentionsOfSd1 => ModelFamily.StableDiffusion1,
                CrossAttentionsOfSdxl => ModelFamily.StableDiffusionXL,
                _ => ModelFamily.Unknown,
            },
            IPAdapter = traits,
            CrossAttentionWidth = IPAdapterLayout.Width(file),
        };
    }

    /// <summary>An embedding is a handful of vectors: A1111's <c>string_to_param</c> or <c>emb_params</c>, SDXL's two, or diffusers' one tensor named as the token.</summary>
    private static ModelKind? TextualInversion(StateDict file)
    {
        var named = file.Has("string_to_param.") || file.ContainsKey("emb_params");
        var sdxl = file.ContainsKey("clip_l") && file.ContainsKey("clip_g");
        var token = file.Count == 1 && file.Single() is { Key: ['<', ..], Value.Shape.Count: 1 or 2 };
        if (!named && !sdxl && !token)
            return null;
        var width = file.Values.FirstOrDefault(tensor => tensor.Shape.Count > 0)?.Shape[^1];
        return new ModelKind
        {
            Kind = CheckpointKind.TextualInversion,
            Layout = token ? CheckpointLayout.Diffusers : CheckpointLayout.CompVis,
            Family = sdxl ? ModelFamily.StableDiffusionXL : FamilyByText(width ?? 0),
            CrossAttentionWidth = sdxl ? null : width,
        };
    }

    private static ModelKind Lora(StateDict file)
    {
        var names = file.Select(entry => (Name: LoraTensors.Parse(entry.Key), Tensor: entry.Value)).Where(entry => entry.Name is not null).ToArray();
        var modules = names.Select(entry => entry.Name!.Value.Module).Distinct().ToArray();
        var down = names.Where(entry => entry.Name!.Value.Part == LoraPart.Down).ToDictionary(entry => entry.Name!.Value.Module, entry => entry.Tensor);
        var kind = LoraTensors.KindOf(file, modules);
        long? cross = down.FirstOrDefault(entry => entry.Key.EndsWith(".attn2.to_k", StringComparison.Ordinal) && entry.Key.Contains(".attentions.", StringComparison.Ordinal))
            .Value is { Shape.Count: > 1 } text ? text.Shape[1] : null;
        var unreadable = names.Length < file.Count;
        return new ModelKind
        {
            Kind = kind switch { LoraKind.DomainAdapter => CheckpointKind.DomainAdapter, LoraKind.MotionLora => CheckpointKind.MotionLora, _ => CheckpointKind.Lora },
            Layout = LoraLayout(file),
            Family = LoraFamily(modules, cross),
            BlockWidths = LoraWidths(down),
            CrossAttentionWidth = cross,
            Lora = new LoraTraits(kind, modules.Length, [.. down.Values.Select(tensor => tensor.Size(0)).Distinct().Order()],
                MidBlock: modules.Any(module => module.StartsWith("unet.mid_block.motion_modules.", StringComparison.Ordinal)),
                TextEncoder: modules.Any(module => module.StartsWith("text_encoder", StringComparison.Ordinal)),
                HasAlpha: names.Any(entry => entry.Name!.Value.Part == LoraPart.Alpha) || file.Metadata.ContainsKey(LoraTensors.PeftMetadata)),
            Warnings = unreadable ? [$"{file.Count - names.Length} of {file.Count} tensors belong to no layer of Stable Diffusion or to another method than LoRA; it cannot be loaded."] : [],
        };
    }

    private static CheckpointLayout LoraLayout(StateDict file)
    {
        if (file.Keys.Any(KohyaLoraLayout.Matches))
            return CheckpointLayout.Kohya;
        if (file.Has(DiffusersLoraLayout.PeftPrefix))
            return CheckpointLayout.Peft;
        var bare = file.Keys.All(name => !name.StartsWith("unet.", StringComparison.Ordinal) && !name.StartsWith("text_encoder", StringComparison.Ordinal));
        return bare && file.Keys.All(name => ProcessorLoraLayout.Parse(name) is not null) ? CheckpointLayout.Official : CheckpointLayout.Diffusers;
    }

    /// <summary>SDXL has attention two levels deep and a second text encoder; SD1.x has it at full resolution and in a block that SDXL does not have.</summary>
    private static ModelFamily LoraFamily(string[] modules, long? cross)
    {
        if (cross is { } width && FamilyByText(width) is not ModelFamily.Unknown and var family)
            return family;
        bool Any(string part) => modules.Any(module => module.Contains(part, StringComparison.Ordinal));
        if (Any("text_encoder_2.") || modules.Any(module => DeepTransformer().IsMatch(module)) || Any("add_embedding")
            || (modules.All(module => module.Contains(".motion_modules.", StringComparison.Ordinal)) && NameParts.Count(modules, "unet.down_blocks.") == 3))
            return ModelFamily.StableDiffusionXL;
        return Any("down_blocks.0.attentions") || Any("up_blocks.3.") || Any("down_blocks.3.") ? ModelFamily.StableDiffusion1 : ModelFamily.Unknown;
    }

    private static long[] LoraWidths(Dictionary<string, WeightTensor> down)
    {
        var blocks = NameParts.Count(down.Keys, "unet.down_blocks.");
        return [.. Enumerable.Range(0, blocks).Select(block => down.FirstOrDefault(entry =>
            entry.Key.StartsWith($"unet.down_blocks.{block}.", StringComparison.Ordinal) && entry.Key.EndsWith(".to_q", StringComparison.Ordinal)).Value.Size(1))];
    }

    private static ModelFamily FamilyByText(long width) => width switch
    {
        768 => ModelFamily.StableDiffusion1,
        1024 => ModelFamily.StableDiffusion2,
        2048 => ModelFamily.StableDiffusionXL,
        _ => ModelFamily.Unknown,
    };

    [GeneratedRegex(@"\.attentions\.\d+\.transformer_blocks\.[1-9]")]
    private static partial Regex DeepTransformer();
}
