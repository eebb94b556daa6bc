using AnimateDiff.Configs;
using AnimateDiff.Denoising;
using AnimateDiff.Noise;
using AnimateDiff.Training.Dataset;
using AnimateDiff.Training.Optimization;

namespace AnimateDiff.Training;

/// <summary>
/// Everything a run is made of: one <c>recipes/*.yaml</c>. What the file leaves out is the official training's (guoyww/AnimateDiff, <c>train.py</c> and
/// <c>configs/training/v1</c>), by stage.
/// </summary>
internal sealed record TrainingRecipe
{
    public required TrainingStage Stage { get; init; }

    /// <summary>Base model: a diffusers folder or a single file. For training from nothing, a folder of configurations (and a VAE) is enough.</summary>
    public required string Base { get; init; }

    /// <summary>Another VAE than the base's.</summary>
    public string? Vae { get; init; }

    /// <summary>Folder of a tokenizer, for a base without one.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>Domain adapter in the image layers, <c>FILE</c> or <c>FILE:SCALE</c>; 1 as in the paper.</summary>
    public string? DomainAdapter { get; init; }

    /// <summary>Motion module to go on from (motion-module), or to train a LoRA (motion-lora) or an encoder (sparsectrl) for.</summary>
    public string? Motion { get; init; }

    /// <summary>Shape of a new motion module: v1 (24 frames), v2 (32, middle block) or v3 (32).</summary>
    public string MotionVersion { get; init; } = "v3";

    /// <summary>attention, or conv1d: the paper's ablation.</summary>
    public string Temporal { get; init; } = MotionConfig.Attention;

    /// <summary>Attention heads of a new motion module.</summary>
    public int MotionHeads { get; init; } = 8;

    /// <summary>controlnet and sparsectrl: the network to go on from; null for a copy of the base's way down with zero convolutions.</summary>
    public string? Control { get; init; }

    /// <summary>controlnet and sparsectrl: what is made of the frames to be followed; null where <see cref="DatasetOptions.Conditions"/> has it.</summary>
    public ControlCondition? Condition { get; init; }

    /// <summary>sparsectrl: the most frames of a sample that are given, of which there are 1 up to it, at random; null for all.</summary>
    public int? MaxConditionFrames { get; init; }

    /// <summary>Rank of the LoRA; null in image-finetune trains the whole UNet.</summary>
    public int? Rank { get; init; }

    /// <summary>image-finetune and vae: start from random weights.</summary>
    public bool FromScratch { get; init; }

    /// <summary>image-finetune: the text encoder is trained too.</summary>
    public bool TrainTextEncoder { get; init; }

    /// <summary>Whose normalisations the motion modules are trained with.</summary>
    public Semantics Semantics { get; init; } = Semantics.Official;

    public required DatasetOptions Data { get; init; }

    /// <summary>Folder where latents are kept between epochs and runs, or null to encode anew each time.</summary>
    public string? Cache { get; init; }

    /// <summary>vae: edge in pixels of the random crops it is trained on, or null for whole images.</summary>
    public int? Crop { get; init; }

    public int Steps { get; init; } = 2000;
    public int BatchSize { get; init; } = 4;
    public int GradientAccumulation { get; init; } = 1;
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>Multiply the learning rate by batch size and accumulation, as the official <c>scale_lr</c> meant to.</summary>
    public bool ScaleLearningRate { get; init; }

    public LearningRateShape LearningRateSchedule { get; init; }
    public int WarmUp { get; init; }
    public OptimizerOptions Optimizer { get; init; } = new();

    /// <summary>bf16 computes in bf16 with fp32 weights kept beside.</summary>
    public ScalarType Precision { get; init; } = ScalarType.Float32;

    /// <summary>cpu, or cuda with the CUDA build of libtorch.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Recompute activations in the backward pass: less memory, a third more time, the same gradients.</summary>
    public bool Recompute { get; init; }

    /// <summary>Share of samples trained without their caption, for guidance.</summary>
    public double CaptionDropout { get; init; } = 0.1;

    public double? MinSnrGamma { get; init; }

    /// <summary>Mean of the logit of timestep / 1000, where <see cref="LogitStd"/> is set: above 0 for more noise.</summary>
    public double LogitMean { get; init; }

    /// <summary>Its standard deviation; null trains all timesteps alike.</summary>
    public double? LogitStd { get; init; }

    public double OffsetNoise { get; init; }

    /// <summary>Share of samples that show less of the clip than their timestep says: sampling begins at noise that shows none, which no timestep of a schedule has.</summary>
    public double WeakSignal { get; init; }

    public PredictionType Prediction { get; init; }
    public BetaShape BetaShape { get; init; }
    public ulong Seed { get; init; } = 42;
    public int CheckpointEvery { get; init; } = 500;
    public int KeepCheckpoints { get; init; } = 2;
    public ValidationOptions? Validation { get; init; }

    /// <summary>Type of the weights that are written at the end.</summary>
    public ScalarType SaveType { get; init; } = ScalarType.Float16;

    /// <summary>The learning rate of every step.</summary>
    public LearningRate Rate =>
        new(LearningRate * (ScaleLearningRate ? BatchSize * GradientAccumulation : 1), LearningRateSchedule, WarmUp, Steps);

    /// <summary>Reads a recipe.</summary>
    /// <param name="text">The recipe's YAML with the overrides in it.</param>
    /// <exception cref="RequestException">A key is unknown, missing or has a wrong value; names file and line.</exception>
    public static TrainingRecipe Read(RecipeText text)
    {
        var root = new YamlSection(text.Path, text.Root, "the recipe");
        var stage = root.Choice<TrainingStage>("stage") ?? throw root.Error("stage", "missing, expected domain-adapter, motion-module, motion-lora, image-finetune, vae, controlnet, sparsectrl or tune-a-video");
        var single = stage is TrainingStage.DomainAdapter or TrainingStage.ImageFinetune or TrainingStage.Vae or TrainingStage.Controlnet;
        var oneShot = stage == TrainingStage.TuneAVideo;
        var linear = !single && !oneShot;
        var recipe = new TrainingRecipe
        {
            Stage = stage,
            Base = root.Text("base") ?? throw root.Error("base", "missing, expected the folder or file of a Stable Diffusion 1.5 model"),
            Data = ReadData(root.Section("data") ?? throw root.Error("data", "missing, expected the data set"), single, oneShot ? ReadVideo(root) : null),
        };
        recipe = recipe with
        {
            Vae = root.Text("vae"),
            Tokenizer = root.Text("tokenizer"),
            DomainAdapter = root.Text("domain_adapter"),
            Motion = root.Text("motion"),
            MotionVersion = root.OneOf("motion_version", "v1", "v2", "v3") ?? recipe.MotionVersion,
            Temporal = root.OneOf("temporal", MotionConfig.Attention, MotionConfig.Convolution) ?? recipe.Temporal,
            MotionHeads = root.Count("motion_heads") ?? recipe.MotionHeads,
            Control = root.Text("control"),
            Condition = root.Choice<ControlCondition>("condition") ?? (stage == TrainingStage.Sparsectrl && recipe.Data.Conditions is null ? ControlCondition.Rgb : null),
            MaxConditionFrames = root.Count("max_condition_frames"),
            Rank = root.Count("rank") ?? stage switch { TrainingStage.DomainAdapter => 16, TrainingStage.MotionLora => 64, _ => null },
            FromScratch = root.Flag("from_scratch") ?? false,
            TrainTextEncoder = root.Flag("train_text_encoder") ?? false,
            Semantics = root.Choice<Semantics>("semantics") ?? recipe.Semantics,
            Cache = root.Text("cache"),
            Crop = root.Count("crop"),
            Steps = root.Count("steps") ?? (oneShot ? 500 : recipe.Steps),
            BatchSize = root.Count("batch_size") ?? stage switch { TrainingStage.ImageFinetune => 50, TrainingStage.TuneAVideo => 1, _ => 4 },
            GradientAccumulation = root.Count("gradient_accumulation") ?? 1,
            LearningRate = root.Positive("learning_rate") ?? stage switch { TrainingStage.ImageFinetune or TrainingStage.Controlnet => 1e-5, TrainingStage.TuneAVideo => 3e-5, _ => 1e-4 },
            ScaleLearningRate = root.Flag("scale_lr") ?? false,
            LearningRateSchedule = root.Choice<LearningRateShape>("lr_schedule") ?? LearningRateShape.Constant,
            WarmUp = root.Count("warmup_steps", least: 0) ?? 0,
            Optimizer = ReadOptimizer(root),
            Precision = root.OneOf("precision", "fp32", "bf16") == "bf16" ? ScalarType.BFloat16 : ScalarType.Float32,
            Device = root.Text("device") ?? recipe.Device,
            Recompute = root.Flag("recompute") ?? false,
            CaptionDropout = root.Fraction("caption_dropout") ?? (oneShot ? 0 : recipe.CaptionDropout),
            MinSnrGamma = root.Positive("min_snr_gamma"),
            LogitMean = root.Number("logit_mean") ?? 0,
            LogitStd = root.Positive("logit_std"),
            OffsetNoise = root.Number("offset_noise") ?? 0,
            WeakSignal = root.Fraction("weak_signal") ?? 0,
            Prediction = root.Choice<PredictionType>("prediction_type") ?? PredictionType.Epsilon,
            BetaShape = root.Choice<BetaShape>("beta_schedule") ?? (linear ? BetaShape.Linear : BetaShape.ScaledLinear),
            Seed = (ulong)(root.Count("seed", least: 0) ?? 42),
            CheckpointEvery = root.Count("checkpoint_every") ?? recipe.CheckpointEvery,
            KeepCheckpoints = root.Count("keep_checkpoints") ?? recipe.KeepCheckpoints,
            Validation = root.Section("validation") is { } validation ? ValidationOptions.Read(validation, single) : null,
            SaveType = root.OneOf("save_dtype", "fp16", "bf16", "fp32") switch { "fp32" => ScalarType.Float32, "bf16" => ScalarType.BFloat16, _ => ScalarType.Float16 },
        };
        root.Close();
        recipe.Check(root);
        return recipe;
    }

    /// <summary>A data set; image stages take single frames of whatever it holds.</summary>
    /// <param name="section">The section.</param>
    /// <param name="single">Whether the stage takes single frames.</param>
    /// <param name="video">The one video and what it shows (null: what the text beside it says), in the stage that is tuned on one; null elsewhere.</param>
    internal static DatasetOptions ReadData(YamlSection section, bool single, (string Path, string? Prompt)? video = null)
    {
        var data = DatasetOptions.Read(section, video?.Path) with { Caption = video?.Prompt };
        return single ? data with { Frames = 1 } : data;
    }

    private static (string Path, string? Prompt) ReadVideo(YamlSection root)
    {
        var video = root.Text("video") ?? throw root.Error("video", "missing, expected the video to tune on, such as video=skiing.mp4");
        var prompt = root.Text("prompt");
        if (prompt is null && File.Exists(video) && FolderEntries.CaptionBeside(video) == "")
            throw root.Error("prompt", "missing, and there is no text beside the video; expected what the video shows, such as prompt='a man is skiing'");
        return (video, prompt);
    }

    private static OptimizerOptions ReadOptimizer(YamlSection root)
    {
        var standard = new OptimizerOptions();
        return new OptimizerOptions
        {
            Beta1 = root.Fraction("adam_beta1") ?? standard.Beta1,
            Beta2 = root.Fraction("adam_beta2") ?? standard.Beta2,
            Epsilon = root.Positive("adam_epsilon") ?? standard.Epsilon,
            WeightDecay = root.Number("weight_decay") ?? standard.WeightDecay,
            MaxGradNorm = root.Has("max_grad_norm") ? root.Positive("max_grad_norm") : standard.MaxGradNorm,
            EmaDecay = root.Fraction("ema_decay"),
        };
    }

    /// <summary>Refuses what does not go together.</summary>
    private void Check(YamlSection root)
    {
        if (Stage == TrainingStage.MotionLora && Motion is null)
            throw root.Error("motion", "missing, expected the motion module that the MotionLoRA is for");
        if (Stage == TrainingStage.Sparsectrl && Motion is null)
            throw root.Error("motion", "missing, expected the motion module that the encoder is to work with");
        if (Stage is not (TrainingStage.MotionModule or TrainingStage.MotionLora or TrainingStage.Sparsectrl) && Motion is not null)
            throw root.Error("motion", "not used in this stage, which trains image layers only: leave it out");
        if (DomainAdapter is not null && Stage is not (TrainingStage.MotionModule or TrainingStage.MotionLora or TrainingStage.Sparsectrl))
            throw root.Error("domain_adapter", "only motion-module, motion-lora and sparsectrl train with an adapter in place");
        CheckControl(root);
        if (FromScratch && Stage is not (TrainingStage.ImageFinetune or TrainingStage.Vae))
            throw root.Error("from_scratch", "only image-finetune and vae train a base model from nothing");
        if (FromScratch && Rank is not null && Stage == TrainingStage.ImageFinetune)
            throw root.Error("rank", "a LoRA needs a trained model under it: leave out rank or from_scratch");
        if (TrainTextEncoder && (Stage != TrainingStage.ImageFinetune || Rank is not null))
            throw root.Error("train_text_encoder", "only image-finetune of a whole model trains the text encoder");
        if (Crop is not null && Stage != TrainingStage.Vae)
            throw root.Error("crop", "only the vae stage trains on crops");
        if (Cache is not null && Stage == TrainingStage.Vae)
            throw root.Error("cache", "the vae stage makes the latents anew in each step: leave it out");
        if (Cache is not null && Data.Flip)
            throw root.Error("cache", "cached latents cannot be flipped: set data.flip to false, or leave out the cache");
        if (Stage == TrainingStage.TuneAVideo && Data.Frames < 2)
            throw root.Error("data", $"frames is {Data.Frames}: a model is tuned on a video of at least 2 frames");
        if (LogitMean != 0 && LogitStd is null)
            throw root.Error("logit_mean", "logit-normal timesteps need logit_std too, such as 1");
        if (WarmUp >= Steps)
            throw root.Error("warmup_steps", $"{WarmUp} of {Steps} steps, expected fewer than the steps");
    }

    private void CheckControl(YamlSection root)
    {
        if (Stage is not (TrainingStage.Controlnet or TrainingStage.Sparsectrl))
        {
            if (Control is not null)
                throw root.Error("control", "only controlnet and sparsectrl train a control network: leave it out");
            if (Condition is not null)
                throw root.Error("condition", "only controlnet and sparsectrl follow pictures: leave it out");
            if (Data.Conditions is not null)
                throw root.Error("data", "conditions: only controlnet and sparsectrl follow pictures: leave them out");
        }
        if (MaxConditionFrames is { } most && (Stage != TrainingStage.Sparsectrl || most > Data.Frames))
            throw root.Error("max_condition_frames", Stage != TrainingStage.Sparsectrl ? "only sparsectrl is given some of the frames: leave it out"
                : $"{most} of samples of {Data.Frames} frames, expected at most as many");
        if (Condition is not null && Data.Conditions is not null)
            throw root.Error("condition", "not used where data.conditions has the pictures to be followed: leave out one of the two");
        if (Stage == TrainingStage.Controlnet && Condition is null && Data.Conditions is null)
            throw root.Error("condition", "missing, expected canny, scribble, lineart, luminance or softedge, or data.conditions with a folder of pictures");
        if (Stage == TrainingStage.Controlnet && Condition == ControlCondition.Rgb)
            throw root.Error("condition", "a ControlNet that is shown the picture itself learns to copy it: expected canny, scribble, lineart, luminance or softedge");
        if (Stage is TrainingStage.Controlnet or TrainingStage.Sparsectrl && Validation is { Prompts.Count: > 0, Data: null })
            throw root.Error("validation", "prompts need validation.data in this stage: the pictures that they follow are of its samples");
        if (Data.Conditions is not null && Validation?.Data is { Conditions: null })
            throw root.Error("validation", "data.conditions: missing, expected the pictures that its samples follow, as the training data has them");
    }
}
