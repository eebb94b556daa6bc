using System.Text.RegularExpressions;

namespace AnimateDiff.Hub;

/// <summary>Which files of a repository a model needs: configuration and one set of weights for each part.</summary>
internal static partial class FileSelection
{
    /// <summary>Parts of a diffusers base model that hold weights; the first three it cannot do without. No safety checker.</summary>
    private static readonly string[] ModelFolders = ["unet", "vae", "text_encoder", "motion_adapter", "controlnet"];

    private static readonly string[] TextFolders = ["tokenizer", "scheduler"];
    private static readonly string[] TextExtensions = [".json", ".txt", ".model"];
    private static readonly string[] WeightExtensions = [".safetensors", ".ckpt", ".pt", ".pth", ".bin"];
    private static readonly string[] ConfigExtensions = [".json", ".yaml", ".yml"];

    /// <summary>The files to pull of a repository (or folder) that holds <paramref name="names"/>.</summary>
    public static IReadOnlyList<string> Select(IReadOnlyCollection<string> names, string? variant)
    {
        if (names.Contains("model_index.json"))
            return
            [
                "model_index.json",
                .. TextFolders.SelectMany(folder => Children(names, folder + "/").Where(IsText)),
                .. ModelFolders.SelectMany(folder => Model(names, folder + "/", variant)),
            ];
        if (names.Contains("config.json") && Weights(names, "", variant).Count > 0)
            return [.. Model(names, "", variant)];
        return Everything(names);
    }

    /// <summary>Whether a folder that holds <paramref name="names"/> has all that a model of its kind needs.</summary>
    public static bool IsComplete(IReadOnlyCollection<string> names)
    {
        if (names.Contains("model_index.json"))
            return ModelFolders.Take(3).All(folder => names.Contains($"{folder}/config.json") && Weights(names, folder + "/", null).Count > 0)
                && Children(names, "tokenizer/").Any();
        // A weight file of a model that is loaded by its configuration is no use without it.
        return names.Contains("config.json") ? Weights(names, "", null).Count > 0 || Everything(names).Any(IsForeignWeight)
            : names.Any(IsWeight) && !names.Any(name => WeightName().IsMatch(name));
    }

    /// <summary>The variants that the listed weights come in.</summary>
    public static IReadOnlyList<string> Variants(IEnumerable<string> names) =>
        [.. names.Select(name => WeightName().Match(name[(name.LastIndexOf('/') + 1)..])).Where(match => match.Groups["variant"].Success)
            .Select(match => match.Groups["variant"].Value).Distinct().Order()];

    private static IEnumerable<string> Model(IReadOnlyCollection<string> names, string prefix, string? variant) =>
        [.. Children(names, prefix).Where(name => IsText(name) && !IndexName().IsMatch(name)), .. Weights(names, prefix, variant)];

    /// <summary>One complete set of weights with its shard index: the wanted variant, then the plain one; safetensors first; one file before shards.</summary>
    private static List<string> Weights(IReadOnlyCollection<string> names, string prefix, string? variant)
    {
        var sets = Children(names, prefix)
            .Select(name => (name, match: WeightName().Match(name[prefix.Length..])))
            .Where(entry => entry.match.Success)
            .GroupBy(entry => (
                Stem: Part(entry.match, "stem"), Variant: Part(entry.match, "variant"), Of: Part(entry.match, "of"), Extension: Part(entry.match, "extension")))
            .Where(set => set.Key.Of == "" || set.Count() == int.Parse(set.Key.Of));
        var best = sets
            .OrderBy(set => set.Key.Variant == (variant ?? "") ? 0 : set.Key.Variant == "" ? 1 : set.Key.Variant == "non_ema" ? 3 : 2)
            .ThenBy(set => set.Key.Extension == "safetensors" ? 0 : 1)
            .ThenBy(set => set.Key.Of == "" ? 0 : 1)
            .FirstOrDefault();
        if (best is null)
            return [];
        var index = Children(names, prefix).Where(name => best.Key.Of != "" && IndexName().Match(name) is { Success: true } match
            && (Part(match, "stem"), Part(match, "extension"), Part(match, "variant")) == (best.Key.Stem, best.Key.Extension, best.Key.Variant));
        return [.. index, .. best.Select(entry => entry.name)];
    }

    /// <summary>All weights and configurations; where one checkpoint comes as safetensors and as a pickle, only the former.</summary>
    private static List<string> Everything(IReadOnlyCollection<string> names)
    {
        var safe = names.Where(name => name.EndsWith(".safetensors")).Select(name => Path.ChangeExtension(name, null)).ToHashSet();
        return [.. names.Where(name => ConfigExtensions.Contains(Path.GetExtension(name))
            || (IsWeight(name) && (name.EndsWith(".safetensors") || !safe.Contains(Path.ChangeExtension(name, null)))))];
    }

    private static IEnumerable<string> Children(IEnumerable<string> names, string prefix) =>
        names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal) && name.IndexOf('/', prefix.Length) < 0);

    private static bool IsText(string name) => TextExtensions.Contains(Path.GetExtension(name));

    private static bool IsWeight(string name) => WeightExtensions.Contains(Path.GetExtension(name));

    private static bool IsForeignWeight(string name) => IsWeight(name) && !WeightName().IsMatch(name);

    private static string Part(Match match, string group) => match.Groups[group].Value;

    [GeneratedRegex(
        @"^(?<stem>diffusion_pytorch_model|pytorch_model|model)(\.(?<variant>[\w-]+?))?(-\d{5}-of-(?<of>\d{5}))?(\.(?<variant>\w+))?\.(?<extension>safetensors|bin)$",
        RegexOptions.ExplicitCapture)]
    private static partial Regex WeightName();

    [GeneratedRegex(@"(^|/)(?<stem>\w+)(\.(?<variant>\w+))?\.(?<extension>safetensors|bin)\.index(\.(?<variant>\w+))?\.json$", RegexOptions.ExplicitCapture)]
    private static partial Regex IndexName();
}
