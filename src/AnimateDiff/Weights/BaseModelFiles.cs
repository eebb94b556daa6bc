using System.Text.Json.Nodes;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>The parts of a base model, from a diffusers folder or from a single file: weights under diffusers' names, configurations as diffusers writes them. Nothing is read yet.</summary>
public sealed class BaseModelFiles : IDisposable
{
    /// <summary>Metadata key of a single file under which a part's configuration is kept, before the part's folder name.</summary>
    internal const string ConfigMetadata = "animatediff.config.";

    private readonly List<StateDict> _open = [];

    /// <summary>File or folder it was opened from.</summary>
    public string Path { get; }

    /// <summary>What was detected.</summary>
    public ModelKind Kind { get; private set; } = new() { Kind = CheckpointKind.Unknown };

    /// <summary>The UNet.</summary>
    public StateDict UNet { get; private set; } = null!;

    /// <summary>The VAE.</summary>
    public StateDict Vae { get; private set; } = null!;

    /// <summary>The text encoder.</summary>
    public StateDict TextEncoder { get; private set; } = null!;

    /// <summary>SDXL's second text encoder, or null.</summary>
    public StateDict? TextEncoder2 { get; private set; }

    /// <summary>The UNet's <c>config.json</c>, or the same derived from the shapes of a single file.</summary>
    public string UNetConfig { get; private set; } = "";

    /// <summary>The VAE's configuration.</summary>
    public string VaeConfig { get; private set; } = "";

    /// <summary>The text encoder's configuration.</summary>
    public string TextEncoderConfig { get; private set; } = "";

    /// <summary>The second text encoder's configuration, or null.</summary>
    public string? TextEncoder2Config { get; private set; }

    /// <summary>Folder with <c>vocab.json</c> and <c>merges.txt</c>, or null: single files have none.</summary>
    public string? TokenizerFolder { get; private set; }

    /// <summary>Folder of SDXL's second tokenizer, or null.</summary>
    public string? Tokenizer2Folder { get; private set; }

    /// <summary>The folder's <c>scheduler_config.json</c>, or null: single files have none.</summary>
    public string? SchedulerConfig { get; private set; }

    /// <summary>Every file that was opened, for recording what a result was made with.</summary>
    public IReadOnlyList<string> Files { get; private set; } = [];

    private BaseModelFiles(string path) => Path = path;

    /// <summary>Opens a base model.</summary>
    /// <param name="path">A diffusers folder (with <c>unet/</c>, <c>vae/</c>, <c>text_encoder/</c>) or a single file (.safetensors, .ckpt).</param>
    /// <exception cref="FileException">It is missing, is something else (the message says what, and which option takes it), or lacks a part.</exception>
    public static BaseModelFiles Open(string path)
    {
        var files = new BaseModelFiles(path);
        try
        {
            if (IsFolder(path))
                files.OpenFolder();
            else
                files.OpenSingle();
            return files;
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>Whether a path is a diffusers folder of a whole base model.</summary>
    internal static bool IsFolder(string path)
        => Directory.Exists(path) && (File.Exists(System.IO.Path.Combine(path, "model_index.json")) || ModelFolder.HasWeights(System.IO.Path.Combine(path, "unet")));

    private void OpenFolder()
    {
        (UNet, UNetConfig) = Part("unet", ModelConfigs.UNet);
        var unet = ModelDetection.Detect(UNet);
        if (unet.Kind != CheckpointKind.UNet && !unet.IsTuneAVideo)
            throw new FileException(Path, $"{Path} has {KindSentences.Short(unet)} in unet/, not the UNet of a base model; use the folder of a Stable Diffusion model.");
        Kind = unet with { Kind = unet.IsTuneAVideo ? CheckpointKind.TuneAVideo : CheckpointKind.BaseFolder };
        RefuseSd2();
        (Vae, VaeConfig) = Part("vae", vae => ModelConfigs.Vae(vae, Kind.Family));
        (TextEncoder, TextEncoderConfig) = Part("text_encoder", ModelConfigs.Text);
        if (Kind.Family == ModelFamily.StableDiffusionXL)
            (TextEncoder2, TextEncoder2Config) = Part("text_encoder_2", ModelConfigs.Text);
        TokenizerFolder = Folder("tokenizer");
        Tokenizer2Folder = Folder("tokenizer_2");
        SchedulerConfig = ModelFolder.Json(System.IO.Path.Combine(Path, "scheduler"), "scheduler_config.json");
        Files = [.. _open.SelectMany(ModelFolder.FilesOf)];
        CompleteKind();
    }

    private (StateDict Weights, string Config) Part(string name, Func<StateDict, JsonObject> derive)
    {
        var folder = System.IO.Path.Combine(Path, name);
        if (!Directory.Exists(folder))
            throw new FileException(Path, $"{Path} is a model folder without {name}/; a base model has unet, vae and text_encoder, so download the whole folder.");
        var file = ModelFolder.Open(folder);
        _open.Add(file);
        var weights = name.StartsWith("text_encoder", StringComparison.Ordinal) || name == "vae" ? LegacyDiffusersLayout.ToDiffusers(file) : file;
        return (weights, ModelFolder.Json(folder, "config.json") ?? ModelConfigs.Text(derive(weights)));
    }

    private string? Folder(string name)
    {
        var folder = System.IO.Path.Combine(Path, name);
        return File.Exists(System.IO.Path.Combine(folder, "vocab.json")) ? folder : null;
    }

    private void OpenSingle()
    {
        var raw = ModelFolder.Open(Path);
        _open.Add(raw);
        Kind = ModelDetection.Detect(raw);
        ModelPairing.RequireBase(Path, Kind);
        var file = Wrappers.Strip(raw);
        RefuseSd2();
        var parts = CompVisLayout.ToDiffusers(file);
        UNet = parts.UNet!;
        Vae = parts.Vae ?? throw Lacks("VAE (first_stage_model.*)");
        TextEncoder = parts.TextEncoder ?? throw Lacks("text encoder (cond_stage_model.transformer.*)");
        UNetConfig = Config("unet", ModelConfigs.UNet(UNet));
        VaeConfig = Config("vae", ModelConfigs.Vae(Vae, Kind.Family));
        TextEncoderConfig = Config("text_encoder", ModelConfigs.Text(TextEncoder));
        if (Kind.Family == ModelFamily.StableDiffusionXL)
        {
            TextEncoder2 = parts.TextEncoder2 ?? throw Lacks("second text encoder (conditioner.embedders.1.model.*)");
            TextEncoder2Config = Config("text_encoder_2", ModelConfigs.Text(TextEncoder2));
        }
        SchedulerConfig = raw.Metadata.GetValueOrDefault(ConfigMetadata + "scheduler");
        Files = [.. ModelFolder.FilesOf(raw)];
        CompleteKind();

        string Config(string part, JsonObject derived) => raw.Metadata.GetValueOrDefault(ConfigMetadata + part) ?? ModelConfigs.Text(derived);
        FileException Lacks(string part)
            => new(Path, $"{Path} is {KindSentences.Short(Kind)} without its {part}; use the full version of the checkpoint, or a diffusers folder.");
    }

    private void RefuseSd2()
    {
        if (Kind.Family == ModelFamily.StableDiffusion2)
            throw new FileException(Path, $"{Path} is {KindSentences.Short(Kind)}; AnimateDiff's motion modules exist for SD1.5 and SDXL only, so use a model of one of these.");
    }

    /// <summary>Counts what the pipeline uses: the parts, and nothing of what else lies in the files.</summary>
    private void CompleteKind()
    {
        StateDict[] parts = TextEncoder2 is null ? [UNet, Vae, TextEncoder] : [UNet, Vae, TextEncoder, TextEncoder2];
        Kind = Kind with
        {
            ParameterCount = parts.Sum(part => part.Values.Sum(tensor => tensor.ElementCount)),
            DTypes = [.. parts.SelectMany(part => part.Values).Where(tensor => tensor.IsFloating()).Select(tensor => tensor.DType).Distinct().Order()],
        };
        Kind = Kind with { Sentence = KindSentences.Describe(Kind) };
    }

    /// <summary>Closes the files. Tensors already read stay.</summary>
    public void Dispose() => _open.ForEach(file => file.Dispose());
}
