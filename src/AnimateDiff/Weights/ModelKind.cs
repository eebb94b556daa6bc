using AnimateDiff.Denoising;
using AnimateDiff.Lora;

namespace AnimateDiff.Weights;

/// <summary>What a file or folder holds.</summary>
public enum CheckpointKind
{
    /// <summary>Nothing that is known here.</summary>
    Unknown,
    /// <summary>A whole base model in one file: UNet, usually with VAE and text encoder.</summary>
    BaseFile,
    /// <summary>A whole base model as a diffusers folder.</summary>
    BaseFolder,
    /// <summary>A UNet of image layers alone.</summary>
    UNet,
    /// <summary>A UNet with its motion modules, as the official training saves it.</summary>
    MotionUNet,
    /// <summary>A VAE.</summary>
    Vae,
    /// <summary>A CLIP text encoder.</summary>
    TextEncoder,
    /// <summary>A CLIP vision encoder.</summary>
    ImageEncoder,
    /// <summary>A CLIP with both encoders.</summary>
    Clip,
    /// <summary>A motion module (diffusers: motion adapter).</summary>
    MotionModule,
    /// <summary>A domain adapter.</summary>
    DomainAdapter,
    /// <summary>A MotionLoRA.</summary>
    MotionLora,
    /// <summary>Any other LoRA.</summary>
    Lora,
    /// <summary>A ControlNet.</summary>
    ControlNet,
    /// <summary>A SparseCtrl encoder.</summary>
    SparseControlNet,
    /// <summary>An IP-Adapter.</summary>
    IPAdapter,
    /// <summary>An embedding made by textual inversion.</summary>
    TextualInversion,
    /// <summary>A base model tuned on one video by Tune-A-Video, its UNet, or the temporal layers alone.</summary>
    TuneAVideo,
}

/// <summary>Whose names the tensors carry.</summary>
public enum CheckpointLayout
{
    /// <summary>Nobody's that is known here.</summary>
    Unknown,
    /// <summary>Today's diffusers.</summary>
    Diffusers,
    /// <summary>Diffusers before 2023.</summary>
    LegacyDiffusers,
    /// <summary>CompVis's, of the single files.</summary>
    CompVis,
    /// <summary>The official AnimateDiff code's.</summary>
    Official,
    /// <summary>kohya's trainer's.</summary>
    Kohya,
    /// <summary>PEFT's own.</summary>
    Peft,
}

/// <summary>The base model something belongs to.</summary>
public enum ModelFamily
{
    /// <summary>The tensors do not say.</summary>
    Unknown,
    /// <summary>Stable Diffusion 1.x.</summary>
    StableDiffusion1,
    /// <summary>Stable Diffusion 2.x.</summary>
    StableDiffusion2,
    /// <summary>Stable Diffusion XL.</summary>
    StableDiffusionXL,
}

/// <summary>The versions of motion modules that must be run differently.</summary>
public enum MotionVersion
{
    /// <summary>mm_sd_v14, mm_sd_v15.</summary>
    V1,
    /// <summary>mm_sd_v15_v2 and what is distilled from it.</summary>
    V2,
    /// <summary>v3_sd15_mm.</summary>
    V3,
    /// <summary>mm_sdxl_v10_beta.</summary>
    Sdxl,
    /// <summary>AnimateLCM.</summary>
    AnimateLcm,
    /// <summary>PIA, conditioned on an image.</summary>
    Pia,
    /// <summary>Hotshot-XL.</summary>
    HotShotXL,
}

/// <summary>What a motion module needs of everything around it.</summary>
/// <param name="Version">Its version.</param>
/// <param name="MaxFrames">Rows of its position encoding, or what its version had where the file lacks them.</param>
/// <param name="HasPositionEncoding">Whether the file holds the position encoding.</param>
/// <param name="MidBlock">Whether the middle block has a motion module.</param>
/// <param name="ResnetNormAcrossFrames">Whether the official code takes the image layers' GroupNorm statistics over all frames of a clip.</param>
/// <param name="BetaSchedule">Noise schedule it was trained with, by diffusers' name.</param>
/// <param name="BetaEnd">Last β of that schedule.</param>
/// <param name="ConvInChannels">Input channels of its own first convolution (PIA), or null.</param>
public sealed record MotionTraits(
    MotionVersion Version, int MaxFrames, bool HasPositionEncoding, bool MidBlock, bool ResnetNormAcrossFrames, string BetaSchedule, double BetaEnd, int? ConvInChannels)
{
    /// <summary>What mixes the frames: <c>attention</c>, or <c>conv1d</c>.</summary>
    public string Temporal { get; init; } = MotionConfig.Attention;

    /// <summary>Whether 1-D convolutions do.</summary>
    internal bool IsConvolution => Temporal == MotionConfig.Convolution;
}

/// <summary>What a LoRA changes.</summary>
/// <param name="Kind">What it was trained for.</param>
/// <param name="Layers">Number of layers.</param>
/// <param name="Ranks">Its different ranks.</param>
/// <param name="MidBlock">Whether it changes the motion module of the middle block: such a MotionLoRA is made for v2.</param>
/// <param name="TextEncoder">Whether it changes the text encoder.</param>
/// <param name="HasAlpha">Whether it is scaled by alpha / rank.</param>
public sealed record LoraTraits(LoraKind Kind, int Layers, IReadOnlyList<long> Ranks, bool MidBlock, bool TextEncoder, bool HasAlpha);

/// <summary>The builds of IP-Adapters.</summary>
public enum IPAdapterVariant
{
    /// <summary>A picture's one vector, made into a few tokens.</summary>
    Plain,
    /// <summary>The states of a picture's patches, gathered by a resampler: closer to the picture.</summary>
    Plus,
    /// <summary>The states of all patches, without a resampler.</summary>
    Full,
    /// <summary>Vectors of a face recognition model.</summary>
    FaceId,
}

/// <summary>What an IP-Adapter is made for.</summary>
/// <param name="Variant">Its build.</param>
/// <param name="Tokens">Tokens that it makes of a picture, or null where there are as many as patches.</param>
/// <param name="Layers">Cross-attention layers that it has keys and values for.</param>
public sealed record IPAdapterTraits(IPAdapterVariant Variant, int? Tokens, int Layers);

/// <summary>What a file or folder is, told from its tensors alone.</summary>
public sealed record ModelKind
{
    /// <summary>What it holds.</summary>
    public required CheckpointKind Kind { get; init; }

    /// <summary>Whose names it uses.</summary>
    public CheckpointLayout Layout { get; init; }

    /// <summary>Base model it is, or is made for.</summary>
    public ModelFamily Family { get; init; }

    /// <summary>The motion module's traits, or null for anything else.</summary>
    public MotionTraits? Motion { get; init; }

    /// <summary>The LoRA's traits, or null for anything else.</summary>
    public LoraTraits? Lora { get; init; }

    /// <summary>The IP-Adapter's traits, or null for anything else.</summary>
    public IPAdapterTraits? IPAdapter { get; init; }

    /// <summary>Channels of the UNet's down blocks, outermost first (320, 640, 1280, 1280 for SD1.5); 0 where the file does not say.</summary>
    public IReadOnlyList<long> BlockWidths { get; init; } = [];

    /// <summary>Width of the text embeddings it attends to (768 for SD1.5), or null where the file does not say.</summary>
    public long? CrossAttentionWidth { get; init; }

    /// <summary>Number of elements of all tensors.</summary>
    public long ParameterCount { get; init; }

    /// <summary>Types of its floating point tensors.</summary>
    public IReadOnlyList<ScalarType> DTypes { get; init; } = [];

    /// <summary>Whether it is tuned on one video (Tune-A-Video).</summary>
    internal bool IsTuneAVideo => Kind == CheckpointKind.TuneAVideo;

    /// <summary>One sentence for people.</summary>
    public string Sentence { get; init; } = "";

    /// <summary>What a user should know before running it, as sentences.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
