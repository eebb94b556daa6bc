using System.Text.Json;
using System.Text.RegularExpressions;

namespace AnimateDiff.Noise;

/// <summary>Reads diffusers' scheduler_config.json as diffusers' <c>from_config</c> does: what the sampler does not have is skipped.</summary>
internal static partial class SchedulerConfig
{
    /// <summary>The sampler a configuration asks for (or the one named) and its options.</summary>
    /// <param name="json">Text of the configuration.</param>
    /// <param name="asked">A sampler to use instead of the configuration's own; or null.</param>
    /// <exception cref="RequestException">It cannot be run here.</exception>
    public static (SchedulerInfo Info, SchedulerOptions Options) Read(string json, SchedulerInfo? asked)
    {
        using var document = Parse(json);
        var root = document.RootElement;
        var className = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("_class_name", out var element) ? element.ToString() : null;
        if (root.ValueKind != JsonValueKind.Object || (asked is null && className is null))
            throw new RequestException("The scheduler configuration has no _class_name; name the scheduler to use.");
        var info = asked ?? SchedulerCatalog.OfClass(className!);

        var options = info.AsInDiffusers(info.Options);
        foreach (var entry in root.EnumerateObject())
        {
            var text = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : entry.Value.GetRawText();
            if (info.Accepts.Contains(entry.Name))
            {
                // the same two names mean other choices in another solver's class, and null means the default
                var foreign = entry.Name is "solver_type" or "algorithm_type" && className is not null && className != info.DiffusersClass;
                if (!foreign && entry.Value.ValueKind != JsonValueKind.Null)
                    options = SchedulerSettings.Set(info, options, entry.Name, text);
            }
            else
            {
                UnsupportedOptions.Check(entry.Name, text);
            }
        }
        options = info.Preset(options);
        SchedulerSettings.Check(info, options);
        return (info, options);
    }

    private static JsonDocument Parse(string json)
    {
        try
        {
            // Python writes infinities as bare words, which no JSON reader takes
            return JsonDocument.Parse(Infinity().Replace(json, match => $": \"{match.Groups[1].Value}\""));
        }
        catch (JsonException error)
        {
            throw new RequestException($"The scheduler configuration is no JSON: {error.Message}", error);
        }
    }

    [GeneratedRegex(@":\s*(-?Infinity)\b")]
    private static partial Regex Infinity();
}

/// <summary>Options diffusers has and this project does not, with the values at which they change nothing.</summary>
internal static class UnsupportedOptions
{
    private static readonly Dictionary<string, (string[] Neutral, string Why)> Table = new()
    {
        ["trained_betas"] = (["null"], "a table of β is not supported, only beta_schedule"),
        ["use_flow_sigmas"] = (["false", "null"], "flow-matching models are not supported"),
        ["use_dynamic_shifting"] = (["false", "null"], "flow-matching models are not supported"),
        ["shift_terminal"] = (["null"], "flow-matching models are not supported"),
        ["timestep_type"] = (["discrete"], "EDM's continuous timesteps are not supported"),
        ["variance_type"] = (["null", "fixed_small"], "models that predict a variance are not supported"),
        ["predict_x0"] = (["true"], "UniPC is supported for data prediction only"),
        ["solver_p"] = (["null"], "UniPC with another solver's predictor is not supported"),
        ["disable_corrector"] = (["[]"], "UniPC without its corrector is not supported"),
    };

    /// <exception cref="RequestException">A configuration asks for something that is not supported.</exception>
    public static void Check(string option, string value)
    {
        if (Table.TryGetValue(option, out var entry) && !entry.Neutral.Contains(value.Replace(" ", "")))
            throw new RequestException($"The scheduler configuration has {option} = {value}: {entry.Why}; expected {entry.Neutral[0]}.");
    }

    public static string Why(string option) => Table.TryGetValue(option, out var entry) ? $": {entry.Why}" : "";
}
