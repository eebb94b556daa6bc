using System.Numerics;
using YamlDotNet.RepresentationModel;

namespace AnimateDiff.Configs;

/// <summary>Reads the official scripts' <c>configs/prompts/*.yaml</c> unchanged (guoyww/AnimateDiff, <c>scripts/animate.py</c>).</summary>
public static class OfficialConfig
{
    /// <summary>Where the official README puts the base model.</summary>
    public const string BaseFolder = "models/StableDiffusion/stable-diffusion-v1-5";

    /// <summary>The same base model on the hub.</summary>
    public const string BaseOnHub = "stable-diffusion-v1-5/stable-diffusion-v1-5";

    private const string MotionRepository = "guoyww/animatediff";
    private const string ImageRepository = "guoyww/animatediff_t2i_backups";

    /// <summary>The entries of a configuration, in order.</summary>
    /// <param name="path">The YAML file.</param>
    /// <param name="currentFolder">
    /// Relative paths are looked up here first, as the official script does, then beside the file and in the folders above it; null: the process's.
    /// </param>
    /// <exception cref="FileException">The file is missing or is no YAML.</exception>
    /// <exception cref="RequestException">A key is unknown, missing or has the wrong type, or counts do not go together; the message has file and line.</exception>
    public static IReadOnlyList<OfficialRun> Load(string path, string? currentFolder = null)
    {
        if (YamlSection.LoadRoot(path) is not YamlSequenceNode { Children.Count: > 0 } entries)
            throw new RequestException($"{path}, line 1: expected a list of entries, each starting with “- ”, as in the official configs/prompts.");
        var paths = new Paths(path, currentFolder ?? Environment.CurrentDirectory);
        return [.. entries.Select(entry => Read(new YamlSection(path, entry, "an entry"), paths))];
    }

    /// <summary>The base model to use: the one given, else the official folder where it exists, else its name on the hub.</summary>
    public static string Base(string? given) => given ?? (Directory.Exists(BaseFolder) ? BaseFolder : BaseOnHub);

    /// <summary>
    /// A path that does not exist, as a hub reference to the file of the same name, as the official script downloads what is missing;
    /// null for file names the official repositories do not have.
    /// </summary>
    public static string? OnHub(string path)
    {
        var file = Path.GetFileName(path);
        return MotionFiles.Contains(file) ? $"{MotionRepository}:{file}" : ImageFiles.Contains(file) ? $"{ImageRepository}:{file}" : null;
    }

    private static OfficialRun Read(YamlSection entry, Paths paths)
    {
        var run = new OfficialRun
        {
            MotionModule = paths.Find(entry.Text("motion_module")),
            MotionLoras = [.. entry.Sections("motion_module_lora_configs").Select(lora => ReadLora(lora, paths))],
            DomainAdapter = Scaled(entry, paths, "adapter_lora_path", "adapter_lora_scale", 1),
            Checkpoint = paths.Find(entry.Text("dreambooth_path")),
            ImageLora = Scaled(entry, paths, "lora_model_path", "lora_alpha", 0.8),
            Inference = paths.Find(entry.Text("inference_config")) is { } inference && File.Exists(inference) ? OfficialInference.Load(inference) : null,
            SparseControl = ReadSparseControl(entry, paths),
            Clips = ReadClips(entry),
            Width = entry.Count("W", least: 8),
            Height = entry.Count("H", least: 8),
            Frames = entry.Count("L"),
        };
        run = run with { Steps = entry.Count("steps") ?? run.Steps, GuidanceScale = entry.Number("guidance_scale") ?? run.GuidanceScale };
        entry.Close();
        return run;
    }

    /// <summary>Prompts, with one negative prompt and one seed for all or one for each.</summary>
    private static IReadOnlyList<OfficialClip> ReadClips(YamlSection entry)
    {
        var prompts = entry.TextsAtFrames("prompt") is { Count: > 0 } list ? list : throw entry.Error("prompt", "missing, expected a list of prompts");
        var negatives = ForEach(prompts.Count, entry.Texts("n_prompt") ?? [""], "n_prompt");
        var seeds = ForEach(prompts.Count, entry.Wholes("seed") ?? [BigInteger.MinusOne], "seed");
        return [.. prompts.Select((prompt, i) => new OfficialClip(prompt[0].Text, negatives[i], Seed(seeds[i])) { PromptsAt = prompt.Count > 1 ? [.. prompt.Skip(1)] : [] })];

        IReadOnlyList<T> ForEach<T>(int count, IReadOnlyList<T> values, string key) => values.Count == count ? values
            : values.Count == 1 ? [.. Enumerable.Repeat(values[0], count)]
            : throw entry.Error(key, $"{values.Count} for {count} prompts, expected one for all or one for each");

        // torch.manual_seed takes −2⁶³ … 2⁶⁴ − 1 and reads negative numbers as two's complement; the official script keeps −1 for “random”.
        ulong? Seed(BigInteger seed) => seed == BigInteger.MinusOne ? null
            : seed >= long.MinValue && seed <= ulong.MaxValue ? (ulong)(seed & ulong.MaxValue)
            : throw entry.Error("seed", $"{seed} is out of range, expected −1 for random or 0 … {ulong.MaxValue}");
    }

    private static OfficialSparseControl? ReadSparseControl(YamlSection entry, Paths paths)
    {
        var path = paths.Find(entry.Text("controlnet_path"));
        var config = paths.Find(entry.Text("controlnet_config"));
        var images = entry.Texts("controlnet_images") ?? [];
        var key = entry.Has("controlnet_image_indexes") ? "controlnet_image_indexes" : "controlnet_image_indexs";
        int[] frames = [.. (entry.Wholes(key) ?? [BigInteger.Zero]).Select(index => BigInteger.Abs(index) <= 1_000_000 ? (int)index
            : throw entry.Error(key, $"{index} is no frame"))];
        var normalize = entry.Flag("normalize_condition_images") ?? false;
        if (path is null)
            return null;
        if (images.Count == 0)
            throw entry.Error("controlnet_images", "missing, expected the condition images of controlnet_path");
        if (frames.Length > images.Count)
            throw entry.Error(key, $"{frames.Length} frames for {images.Count} images, expected one frame for each image");
        return new OfficialSparseControl(path, [.. images.Select(image => paths.Find(image)!)], frames, normalize,
            config is not null && File.Exists(config) ? OfficialSparseControlConfig.Load(config) : null);
    }

    private static OfficialLora? Scaled(YamlSection entry, Paths paths, string path, string scale, double standard)
    {
        var strength = entry.Number(scale) ?? standard;
        return paths.Find(entry.Text(path)) is { } file ? new OfficialLora(file, strength) : null;
    }

    private static OfficialLora ReadLora(YamlSection lora, Paths paths)
    {
        var path = paths.Find(lora.Text("path")) ?? throw lora.Error("path", "missing, expected the file of a MotionLoRA");
        var alpha = lora.Number("alpha") ?? throw lora.Error("alpha", "missing, expected the MotionLoRA's strength, usually 1.0");
        lora.Close();
        return new OfficialLora(path, alpha);
    }

    private static readonly HashSet<string> MotionFiles =
    [
        "mm_sd_v14.ckpt", "mm_sd_v15.ckpt", "mm_sd_v15_v2.ckpt", "v3_sd15_mm.ckpt", "v3_sd15_adapter.ckpt",
        "v3_sd15_sparsectrl_rgb.ckpt", "v3_sd15_sparsectrl_scribble.ckpt",
        "v2_lora_PanLeft.ckpt", "v2_lora_PanRight.ckpt", "v2_lora_TiltDown.ckpt", "v2_lora_TiltUp.ckpt",
        "v2_lora_RollingAnticlockwise.ckpt", "v2_lora_RollingClockwise.ckpt", "v2_lora_ZoomIn.ckpt", "v2_lora_ZoomOut.ckpt",
    ];

    private static readonly HashSet<string> ImageFiles =
    [
        "realisticVisionV60B1_v51VAE.safetensors", "majicmixRealistic_v4.safetensors", "majicmixRealistic_v5Preview.safetensors",
        "leosamsFilmgirlUltra_velvia20Lora.safetensors", "leosamsHelloworldXL_filmGrain20.safetensors", "toonyou_beta3.safetensors",
        "rcnzCartoon3d_v10.safetensors", "lyriel_v16.safetensors", "TUSUN.safetensors",
    ];

    /// <summary>Where relative paths of a configuration lead.</summary>
    private sealed class Paths(string config, string currentFolder)
    {
        /// <summary>The path in the first folder that has it; as given when none has it; null for null.</summary>
        public string? Find(string? path)
        {
            if (path is null)
                return null;
            var folder = Path.GetDirectoryName(Path.GetFullPath(config, currentFolder));
            var candidate = Path.Combine(currentFolder, path);
            for (; !Path.Exists(candidate) && folder is not null; folder = Path.GetDirectoryName(folder))
                candidate = Path.Combine(folder, path);
            return Path.Exists(candidate) ? candidate : path;
        }
    }
}
