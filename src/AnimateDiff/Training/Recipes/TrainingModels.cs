using AnimateDiff.Denoising;
using AnimateDiff.Lora;
using AnimateDiff.Text;
using AnimateDiff.Vae;
using AnimateDiff.Weights;

namespace AnimateDiff.Training.Recipes;

/// <summary>The models of a run, loaded for training: nothing wants a gradient until a recipe says so.</summary>
internal sealed class TrainingModels : IDisposable
{
    private readonly Stack<IDisposable> _owned = new();

    /// <summary>Folder or file of the base model.</summary>
    public required string Base { get; init; }

    /// <summary>Image layers, with motion modules in the stages that have them.</summary>
    public UNetMotionModel UNet { get; private set; } = null!;

    /// <summary>Images ↔ latents.</summary>
    public AutoencoderKL Vae { get; private set; } = null!;

    /// <summary>Captions → what the UNet attends to.</summary>
    public ClipTextModel Text { get; private set; } = null!;

    /// <summary>Words → tokens.</summary>
    public ITokenizer Tokenizer { get; private set; } = null!;

    /// <summary>Configurations of the base model.</summary>
    public BaseConfigs Configs { get; private set; } = null!;

    /// <summary>The VAE's configuration.</summary>
    public string VaeConfigText { get; private set; } = "";

    /// <summary>Names the VAE's weights: latents in a cache belong to it.</summary>
    public string VaeFingerprint { get; private set; } = "";

    /// <summary>Names the text encoder's weights and its tokenizer: embeddings in a cache belong to them.</summary>
    public string TextFingerprint { get; private set; } = "";

    /// <summary>The motion modules' configuration in diffusers' form; empty without them.</summary>
    public string MotionConfigText { get; private set; } = "";

    /// <summary>Reads them, or makes them with random weights where the recipe trains from nothing.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="tokenizer">A tokenizer to use instead of the files' own.</param>
    public static TrainingModels Load(TrainingRecipe recipe, ITokenizer? tokenizer = null)
    {
        var models = new TrainingModels { Base = recipe.Base };
        try
        {
            models.Read(recipe, tokenizer);
            return models;
        }
        catch
        {
            models.Dispose();
            throw;
        }
    }

    private void Read(TrainingRecipe recipe, ITokenizer? tokenizer)
    {
        using var files = recipe.FromScratch ? null : BaseModelFiles.Open(recipe.Base);
        using var vaeFiles = recipe.Vae is null ? null : VaeFiles.Open(recipe.Vae);
        Configs = files is null ? BaseConfigs.Of(recipe.Base) : BaseConfigs.Of(files);

        var folder = recipe.Tokenizer is { } given ? PipelineParts.TokenizerFolder(given) : Configs.TokenizerFolder;
        Configs = Configs with { TokenizerFolder = folder };
        Tokenizer = tokenizer ?? ClipTokenizer.Load(folder
            ?? throw new RequestException($"{recipe.Base} has no tokenizer of its own: set tokenizer to the folder of CLIP's vocab.json and merges.txt."));

        Text = Own(new ClipTextModel(ClipTextConfig.Parse(Configs.Text, recipe.Base), META));
        Fill(Text, files?.TextEncoder, "text encoder", recipe, seed: 1);

        var unet = UNetOf(recipe);
        var motion = MotionOf(recipe, unet);
        using var motionFiles = motion.Files;
        UNet = Own(new UNetMotionModel(unet, motion.Config, META));
        var addsTemporal = unet.TemporalAttention && files is { Kind.IsTuneAVideo: false };
        Fill(UNet, files?.UNet, "UNet", recipe, seed: 2, name => !UNetMotionModel.IsMotion(name) && !(addsTemporal && UNetMotionModel.IsTemporal(name)));
        if (addsTemporal)
        {
            UNet.InitialiseTemporal(recipe.Seed + 3);
            Move(UNet, recipe);
        }
        if (motionFiles is not null)
            Fill(UNet, motionFiles.Weights, "motion module", recipe, seed: 3, UNetMotionModel.IsMotion);
        else if (motion.Config is not null)
        {
            UNet.InitialiseMotion(recipe.Seed + 3);
            Move(UNet, recipe);
        }
        MotionConfigText = motion.Config is null ? "" : ModelConfigs.Text(ModelConfigs.Motion(motion.Config));
        UNet.ComputesPositions = recipe.Semantics == Semantics.Official;
        UNet.MotionNormAcrossFrames = recipe.Semantics == Semantics.Diffusers;
        UNet.ResnetNormAcrossFrames = unet.TemporalAttention || recipe.Semantics == Semantics.Official && (motionFiles?.Traits.ResnetNormAcrossFrames ?? (motion.Config is not null && recipe.MotionVersion == "v1"));

        var vae = vaeFiles?.Weights ?? files?.Vae
            ?? throw new RequestException($"A UNet is trained on the latents of a VAE, and {recipe.Base} has none: set vae to a trained one.");
        VaeConfigText = vaeFiles?.Config ?? files!.VaeConfig;
        VaeFingerprint = Fingerprint(recipe, ModelFolder.FilesOf(vae));
        TextFingerprint = recipe.TrainTextEncoder ? "" : Fingerprint(recipe, (files is null ? [] : ModelFolder.FilesOf(files.TextEncoder)).Concat(folder is null ? [] : Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal)));
        Vae = Own(new AutoencoderKL(VaeConfig.Parse(VaeConfigText, recipe.Vae ?? recipe.Base), META));
        ModuleWeights.Load(Vae, vae, "VAE", recipe.Precision, new Device(recipe.Device));

        if (recipe.DomainAdapter is { } adapter)
            MergeAdapter(adapter);
    }

    /// <summary>A VAE for itself.</summary>
    public static AutoencoderKL LoadVae(TrainingRecipe recipe)
    {
        if (!recipe.FromScratch)
        {
            using var files = VaeFiles.Open(VaePath(recipe));
            var vae = new AutoencoderKL(VaeConfig.Parse(files.Config, VaePath(recipe)), META);
            ModuleWeights.Load(vae, files.Weights, "VAE", device: new Device(recipe.Device));
            return vae;
        }
        var config = BaseConfigs.Find(recipe.Base, "vae");
        var made = new AutoencoderKL(VaeConfig.Parse(config, recipe.Base), META);
        ModuleWeights.Initialise(made, part: null, recipe.Seed);
        made.to(new Device(recipe.Device));
        return made;
    }

    private static string Fingerprint(TrainingRecipe recipe, IEnumerable<string> files) =>
        $"{string.Join(' ', files.Select(path => FileFingerprints.OfAsync(path).GetAwaiter().GetResult()))} {recipe.Precision} {(recipe.FromScratch ? recipe.Seed : "")}";

    /// <summary>Where the VAE of its own stage is: given, or the base model's.</summary>
    public static string VaePath(TrainingRecipe recipe) => recipe.Vae ?? (BaseModelFiles.IsFolder(recipe.Base) ? Path.Combine(recipe.Base, "vae") : recipe.Base);

    // The adapter stays in the frozen weights: while the motion module learns, it already holds the look of the videos (§4.1).
    private void MergeAdapter(string adapter)
    {
        var (_, path, scale) = Adapter.Parse(AdapterRole.DomainAdapter, adapter);
        if (!scale.IsConstant)
            throw new RequestException($"domain_adapter has the strength {scale}; training takes one number, since a training step has neither frames nor steps of a run of its own.");
        using var file = LoraFiles.Open(path);
        if (file.Weights.Kind != LoraKind.DomainAdapter)
            throw new FileException(path, $"{path} is no domain adapter; domain_adapter takes a LoRA on the attention of the image layers.");
        using var stack = new LoraStack(new Dictionary<string, nn.Module> { ["unet"] = UNet });
        stack.Set([(file.Weights, scale.InFrame(0))]);
    }

    private UNetConfig UNetOf(TrainingRecipe recipe)
    {
        var unet = UNetConfig.Parse(Configs.UNet, recipe.Base);
        if (recipe.Stage == TrainingStage.TuneAVideo)
            return unet with { TemporalAttention = true };
        return !unet.TemporalAttention ? unet
            : throw new RequestException($"{recipe.Base} is tuned on one video by Tune-A-Video, and only the stage tune-a-video goes on with it: name the base model that it was tuned from.");
    }

    private static (MotionConfig? Config, MotionFiles? Files) MotionOf(TrainingRecipe recipe, UNetConfig unet)
    {
        if (recipe.Motion is { } path)
        {
            var files = MotionFiles.Open(path);
            return (MotionConfig.Parse(files.Config, path), files);
        }
        if (recipe.Stage != TrainingStage.MotionModule)
            return (null, null);
        return (new MotionConfig
        {
            BlockOutChannels = unet.BlockOutChannels,
            MotionLayersPerBlock = unet.LayersPerBlock,
            MotionNumAttentionHeads = recipe.MotionHeads,
            MotionNormNumGroups = unet.NormNumGroups,
            MotionMaxSeqLength = recipe.MotionVersion == "v1" ? 24 : 32,
            UseMotionMidBlock = recipe.MotionVersion == "v2",
            Temporal = recipe.Temporal,
        }, null);
    }

    private static void Fill(nn.Module module, StateDict? weights, string name, TrainingRecipe recipe, ulong seed, Func<string, bool>? part = null)
    {
        if (weights is null)
            Initialise(module, recipe, seed, part);
        else
            ModuleWeights.Load(module, weights, name, recipe.Precision, new Device(recipe.Device), part);
    }

    private static void Initialise(nn.Module module, TrainingRecipe recipe, ulong seed, Func<string, bool>? part)
    {
        ModuleWeights.Initialise(module, part, recipe.Seed + seed);
        Move(module, recipe);
    }

    private static void Move(nn.Module module, TrainingRecipe recipe)
    {
        if (recipe.Precision != ScalarType.Float32 || recipe.Device != "cpu")
            module.to(new Device(recipe.Device), recipe.Precision);
    }

    private T Own<T>(T part) where T : IDisposable
    {
        _owned.Push(part);
        return part;
    }

    public void Dispose()
    {
        while (_owned.TryPop(out var part))
            part.Dispose();
    }
}
