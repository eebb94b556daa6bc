namespace AnimateDiff.Configs;

/// <summary>One entry of an official prompt configuration: the models, and the clips to make with them. Paths are resolved where they exist.</summary>
public sealed record OfficialRun
{
    /// <summary><c>motion_module</c>; null: none, still images.</summary>
    public string? MotionModule { get; init; }

    /// <summary><c>motion_module_lora_configs</c>, in the order given.</summary>
    public IReadOnlyList<OfficialLora> MotionLoras { get; init; } = [];

    /// <summary><c>adapter_lora_path</c> with <c>adapter_lora_scale</c> (default 1): the domain adapter.</summary>
    public OfficialLora? DomainAdapter { get; init; }

    /// <summary><c>dreambooth_path</c>: a personalised single-file checkpoint for UNet, VAE and text encoder; null: the base model as it is.</summary>
    public string? Checkpoint { get; init; }

    /// <summary><c>lora_model_path</c> with <c>lora_alpha</c> (default 0.8): a LoRA in kohya's layout.</summary>
    public OfficialLora? ImageLora { get; init; }

    /// <summary><c>inference_config</c> as read; null when none is named or the file is not there: then the motion module's own version decides.</summary>
    public OfficialInference? Inference { get; init; }

    /// <summary>SparseCtrl; null without <c>controlnet_path</c>.</summary>
    public OfficialSparseControl? SparseControl { get; init; }

    /// <summary>The clips, in order.</summary>
    public IReadOnlyList<OfficialClip> Clips { get; init; } = [];

    /// <summary><c>W</c>, pixels; null: the command line's, the official default being 512.</summary>
    public int? Width { get; init; }

    /// <summary><c>H</c>, pixels; null: the command line's, the official default being 512.</summary>
    public int? Height { get; init; }

    /// <summary><c>L</c>, frames; null: the command line's, the official default being 16.</summary>
    public int? Frames { get; init; }

    /// <summary><c>steps</c>, ≥ 1.</summary>
    public int Steps { get; init; } = 25;

    /// <summary><c>guidance_scale</c>.</summary>
    public double GuidanceScale { get; init; } = 8;
}

/// <summary>One clip to generate.</summary>
/// <param name="Prompt">Entry of <c>prompt</c>.</param>
/// <param name="NegativePrompt">Entry of <c>n_prompt</c>, or the one for all.</param>
/// <param name="Seed">Entry of <c>seed</c> as torch takes it; null: random (−1 or none given).</param>
public sealed record OfficialClip(string Prompt, string NegativePrompt, ulong? Seed)
{
    /// <summary>What the prompt becomes at later frames. Beyond the official scripts: an entry of <c>prompt</c> may be texts by frame, <c>{0: TEXT, 8: TEXT}</c>.</summary>
    public IReadOnlyList<PromptAt> PromptsAt { get; init; } = [];
}

/// <summary>A LoRA file and its strength.</summary>
/// <param name="Path">The file.</param>
/// <param name="Scale">α of the formula <c>W + α·B·A</c>.</param>
public sealed record OfficialLora(string Path, double Scale);

/// <summary>SparseCtrl's settings.</summary>
/// <param name="Path"><c>controlnet_path</c>: the weights.</param>
/// <param name="Images"><c>controlnet_images</c>: the condition images.</param>
/// <param name="Frames"><c>controlnet_image_indexs</c>: the frame of each image, negative from the end; default the first.</param>
/// <param name="NormalizeImages"><c>normalize_condition_images</c>: grey, stretched to 0…1.</param>
/// <param name="Config"><c>controlnet_config</c> as read, or null when the file is not there.</param>
public sealed record OfficialSparseControl(
    string Path, IReadOnlyList<string> Images, IReadOnlyList<int> Frames, bool NormalizeImages, OfficialSparseControlConfig? Config);
