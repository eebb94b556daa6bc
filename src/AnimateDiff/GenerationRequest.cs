using AnimateDiff.Denoising;

namespace AnimateDiff;

/// <summary>Which implementation's group norms are computed; see the README's "Same numbers".</summary>
public enum Semantics
{
    /// <summary>The official code's: motion norm per frame; for v1 modules the image layers' resnet norms across frames.</summary>
    Official,
    /// <summary>diffusers': motion norm across frames, resnet norms per frame.</summary>
    Diffusers,
}

/// <summary>What an adapter file is given as.</summary>
public enum AdapterRole
{
    /// <summary>AnimateDiff's domain adapter: the image layers' attention, scale 0…1.</summary>
    DomainAdapter,
    /// <summary>A MotionLoRA: the motion module's self-attention.</summary>
    MotionLora,
    /// <summary>A LoRA of the image model and its text encoder: kohya, diffusers or PEFT.</summary>
    Lora,
}

/// <summary>An adapter file and its strength.</summary>
/// <param name="Role">What it is given as; a file of another kind is refused.</param>
/// <param name="Path">The file.</param>
/// <param name="Scale">
/// Strength; 0 is off, 1 as trained. Over the steps the weights are changed between them; over the frames its low-rank layers are computed beside the model's
/// own. A text is encoded once, at the strength of the first step or frame.
/// </param>
public sealed record Adapter(AdapterRole Role, string Path, Curve Scale)
{
    /// <summary>An adapter as trained.</summary>
    /// <param name="role">What it is given as.</param>
    /// <param name="path">The file.</param>
    public Adapter(AdapterRole role, string path) : this(role, path, 1)
    {
    }

    /// <summary>Reads <c>FILE[:CURVE]</c>: what follows a colon is the strength if it is a number or a curve, otherwise the colon belongs to the name.</summary>
    /// <param name="role">What it is given as.</param>
    /// <param name="text">The text.</param>
    public static Adapter Parse(AdapterRole role, string text)
    {
        var (path, scale) = Curve.AtEndOf(text);
        return new Adapter(role, path, scale ?? 1);
    }
}

/// <summary>What to generate. Immutable; defaults are AnimateDiff's own.</summary>
public sealed record GenerationRequest
{
    /// <param name="prompts">One prompt for each clip of the batch; see <see cref="Prompts"/>.</param>
    public GenerationRequest(params IReadOnlyList<string> prompts) => Prompts = prompts;

    /// <summary>One prompt for each clip. The clips of one request are denoised together and share one draw of noise.</summary>
    public IReadOnlyList<string> Prompts { get; init; }

    /// <summary>One negative prompt for all clips, or one each. Empty by default.</summary>
    public IReadOnlyList<string> NegativePrompts { get; init; } = [""];

    /// <summary>How the image model makes clips. Null: as the models are made for, with a motion module AnimateDiff's.</summary>
    public GenerationMethod? Method { get; init; }

    /// <summary>Settings of <see cref="GenerationMethod.Text2VideoZero"/>; null for the usual ones.</summary>
    public ZeroShot? ZeroShot { get; init; }

    /// <summary>Whether the image model alone makes the clip.</summary>
    internal bool IsZeroShot => Method == GenerationMethod.Text2VideoZero;

    /// <summary>The settings of Text2Video-Zero.</summary>
    internal ZeroShot ZeroShotInEffect => ZeroShot ?? new();

    /// <summary>Frames of each clip; 1 to the motion module's length (24 or 32), or as many as memory holds with <see cref="Context"/> or <see cref="FreeNoise"/>. Null: 16, or those of <see cref="Source"/>'s video or latents; 8 by Text2Video-Zero, which takes 2 or more.</summary>
    public int? Frames { get; init; }

    /// <summary>Width in pixels, a multiple of 8. Null: what the base model was made for, 512 for Stable Diffusion 1.5.</summary>
    public int? Width { get; init; }

    /// <summary>Height in pixels, a multiple of 8. Null: what the base model was made for, 512 for Stable Diffusion 1.5.</summary>
    public int? Height { get; init; }

    /// <summary>Denoising steps.</summary>
    public int Steps { get; init; } = 25;

    /// <summary>Classifier-free guidance scale; 1 and below turn guidance off, and halve the work of steps that have it in no frame.</summary>
    public Curve GuidanceScale { get; init; } = 7.5;

    /// <summary>Whether the negative prompt is computed too.</summary>
    internal bool IsGuided => Guidance.IsOn(GuidanceScale);

    /// <summary>Seed of the CPU generator that draws the initial noise and a stochastic sampler's noise.</summary>
    public ulong Seed { get; init; }

    /// <summary>Sampler, one of <see cref="Noise.Scheduler.All"/>.</summary>
    public string Scheduler { get; init; } = "ddim";

    /// <summary>Options of the sampler under diffusers' configuration names, such as <c>timestep_spacing</c>.</summary>
    public IReadOnlyDictionary<string, string> SchedulerOptions { get; init; } = new Dictionary<string, string>();

    /// <summary>Layers of the text encoder to leave out at its end: 0, or as diffusers counts, 1 for the last but one.</summary>
    public int ClipSkip { get; init; }

    /// <summary>Cut prompts after 75 tokens as diffusers does; otherwise they are encoded in chunks of 75.</summary>
    public bool Truncate { get; init; }

    /// <summary>Which implementation's numbers to compute.</summary>
    public Semantics Semantics { get; init; } = Semantics.Official;

    /// <summary>Adapters in place for this request, in any order; they are removed again by a request without them.</summary>
    public IReadOnlyList<Adapter> Adapters { get; init; } = [];

    /// <summary>The steps that are guided, or null for all.</summary>
    public GuidanceInterval? GuidanceInterval { get; init; }

    /// <summary>Deep-feature caching, or null: an approximation, for speed.</summary>
    public DeepCache? DeepCache { get; init; }

    /// <summary>Share of 0…1 by which guidance is brought back to the size of an unguided prediction, against overexposure; 0 is off, usually 0.7.</summary>
    public double GuidanceRescale { get; init; }

    /// <summary>Perturbed-attention guidance, or null.</summary>
    public PerturbedAttention? PerturbedAttention { get; init; }

    /// <summary>FreeU, or null.</summary>
    public FreeU? FreeU { get; init; }

    /// <summary>Runs of FreeInit, 2 or more, usually 3: as many times the work; or null.</summary>
    public int? FreeInit { get; init; }

    /// <summary>FreeNoise for clips longer than the motion module's length, or null.</summary>
    public FreeNoise? FreeNoise { get; init; }

    /// <summary>Context windows for clips longer than the motion module's length, or that loop; or null.</summary>
    public FrameContext? Context { get; init; }

    /// <summary>How the frames' noises belong together. Null: shuffled with FreeNoise, else random.</summary>
    public NoiseKind? InitialNoise { get; init; }

    /// <summary>Frames whose initial noise is drawn from another seed, in any order. None by default.</summary>
    public IReadOnlyList<FrameSeed> FrameSeeds { get; init; } = [];

    /// <summary>The kind of noise that is drawn.</summary>
    internal NoiseKind NoiseInEffect => InitialNoise ?? (IsZeroShot ? NoiseKind.Constant : FreeNoise is null ? NoiseKind.Random : NoiseKind.Shuffled);

    /// <summary>Length of a window of frames and the way to the next, or null where a clip is seen whole.</summary>
    internal (int Length, int Stride)? Window => Context is not null ? (Context.Length, Context.Length - Context.Overlap)
        : FreeNoise is not null ? (FreeNoise.Length, FreeNoise.Stride) : null;

    /// <summary>
    /// A folder that keeps a long run in context windows after every step: a request that was interrupted goes on when it is made again with the same folder.
    /// Null: a clip of more than 64 frames is in temporary files, and begins anew.
    /// </summary>
    public string? WorkFolder { get; init; }

    /// <summary>Whether the first frame follows the last.</summary>
    internal bool IsClosed => Context is { Closed: true };

    /// <summary>Whether something is asked for by a frame's number, so that the first frame has to be the first.</summary>
    internal bool NumbersFrames => Source is not null || PromptsAt.Count > 0 || FrameSeeds.Count > 0 || Controls.Count > 0 || Sparse is not null || ImagePrompts.Count > 0
        || GuidanceScale.IsOverFrames || Adapters.Any(adapter => adapter.Scale.IsOverFrames);

    /// <summary>A video, a picture or inverted latents the clips are made from; null: from noise alone.</summary>
    public ClipSource? Source { get; init; }

    /// <summary>What the prompts become at later frames, in any order; between them the text is mixed, and after the last it stays.</summary>
    public IReadOnlyList<PromptAt> PromptsAt { get; init; } = [];

    /// <summary>ControlNets and what they follow; their effects add up.</summary>
    public IReadOnlyList<ControlNetInput> Controls { get; init; } = [];

    /// <summary>A SparseCtrl encoder with pictures of some frames, or null.</summary>
    public SparseControl? Sparse { get; init; }

    /// <summary>Pictures as prompts, by IP-Adapters; their effects add up. None by default.</summary>
    public IReadOnlyList<ImagePrompt> ImagePrompts { get; init; } = [];

    /// <summary>A second run at a larger size, or null.</summary>
    public Hires? Hires { get; init; }

    /// <summary>What is done to the frames after they are made, in this order. Nothing by default.</summary>
    public IReadOnlyList<Finish> Finish { get; init; } = [];

    /// <summary>Frames the VAE decodes at once: more is hardly faster and takes more memory. Null: as many as make one picture of 256×256.</summary>
    public int? DecodeChunk { get; init; }

    /// <summary>Checks what can be checked without a model; a pipeline checks the rest.</summary>
    /// <exception cref="RequestException">A setting is out of its range, or the sampler does not know an option.</exception>
    /// <exception cref="FileException">A picture is missing.</exception>
    public void Validate()
    {
        var scheduler = Noise.Scheduler.Create(Scheduler, SchedulerOptions, Steps);
        Source?.Validate(scheduler);
        if (Prompts.Count == 0)
            throw new RequestException("There is no prompt: give at least one.");
        if (NegativePrompts.Count != 1 && NegativePrompts.Count != Prompts.Count)
            throw new RequestException($"{NegativePrompts.Count} negative prompts do not pair with {Prompts.Count} prompts: give one for all, or one each.");
        if (!GuidanceScale.IsFinite || GuidanceScale.Values.Min() < 0)
            throw new RequestException($"A guidance scale of {GuidanceScale} is not possible: expected 0 or more, usually 1 to 15.");
        foreach (var prompt in ImagePrompts)
            prompt.Validate();
        if (DecodeChunk is < 1)
            throw new RequestException($"The VAE cannot decode {DecodeChunk} frames at once: expected 1 or more.");
        foreach (var control in Controls)
            control.Validate();
        Sparse?.Validate();
        Hires?.Validate(this);
        foreach (var step in Finish)
            step.Validate();
        ValidateQuality();
        if (IsZeroShot)
            ZeroShotInEffect.Validate(this);
        else if (ZeroShot is not null)
            throw new RequestException("Settings of Text2Video-Zero are given, and another method is to make the clip: give --method text2video-zero, or leave them out.");
    }

    private void ValidateQuality()
    {
        GuidanceInterval?.Validate(this);
        DeepCache?.Validate(this);
        PerturbedAttention?.Validate();
        FreeU?.Validate();
        FreeNoise?.Validate();
        Context?.Validate();
        if (!double.IsFinite(GuidanceRescale) || GuidanceRescale is < 0 or > 1)
            throw new RequestException($"A guidance rescale of {GuidanceRescale} is not possible: expected 0 to 1, usually 0.7.");
        if (GuidanceRescale > 0 && !IsGuided && PerturbedAttention is not { Scale: > 0 })
            throw new RequestException("A guidance rescale needs guidance to bring back: give a guidance scale above 1, or perturbed-attention guidance.");
        if (FreeInit is < 2)
            throw new RequestException($"{FreeInit} runs of FreeInit are not possible: expected 2 or more, usually 3.");
        if (FreeInit is not null && Source is not null)
            throw new RequestException("FreeInit begins again from noise, a run from a video, picture or latents begins from that: give one of them.");
        if (Source is { Kind: SourceKind.Latents } && (InitialNoise is not null || FrameSeeds.Count > 0))
            throw new RequestException($"The latents in {Source.Path} are the noise the run begins from, and none is drawn: leave out the kind of noise and frames' seeds.");
        if (FreeNoise is not null && Context is not null)
            throw new RequestException("FreeNoise and context windows both decide which frames are seen together, one within the motion modules and one before them: give one of them.");
        if (WorkFolder is not null && Context is null)
            throw new RequestException($"{WorkFolder} is given to keep a long run in, and only one in context windows can be: give them (--context 16:4), or leave it out.");
        if (InitialNoise is NoiseKind.Repeated or NoiseKind.Shuffled && Window is null)
            throw new RequestException($"{InitialNoise} noise is that of a window's frames, and there are no windows: give context windows or FreeNoise, or choose random or constant noise.");
    }
}
