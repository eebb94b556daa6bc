using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AnimateDiff.Noise;

/// <summary>Text ↔ <see cref="SchedulerOptions"/>: names and values as diffusers and <c>--scheduler-option</c> spell them.</summary>
internal static class SchedulerSettings
{
    private static readonly Dictionary<string, PropertyInfo> Properties =
        typeof(SchedulerOptions).GetProperties().ToDictionary(property => JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name));

    /// <summary>The options of a sampler as text, in the order it lists them.</summary>
    public static IReadOnlyDictionary<string, string> List(SchedulerInfo info, SchedulerOptions options)
        => info.Accepts.ToDictionary(name => name, name => Format(Properties[name].GetValue(options)));

    /// <summary>The options with one set from text.</summary>
    /// <exception cref="RequestException">The sampler has no such option, or the value is none of its values.</exception>
    public static SchedulerOptions Set(SchedulerInfo info, SchedulerOptions options, string name, string value)
    {
        if (!info.Accepts.Contains(name))
        {
            throw new RequestException(
                $"The {info.Name} scheduler has no option '{name}' (given {name}={value}){UnsupportedOptions.Why(name)}; "
                + $"it has {string.Join(", ", info.Accepts)}.");
        }
        var property = Properties[name];
        var choices = Choices(property.PropertyType, info.Only.GetValueOrDefault(name));
        if (!TryParse(property.PropertyType, value, choices, out var parsed))
            throw Refused(info, name, value, choices is null ? Describe(property.PropertyType) : string.Join(", ", choices.Keys));
        var changed = options with { };
        property.SetValue(changed, parsed);
        return changed;
    }

    /// <summary>Checks ranges and combinations that hold for every sampler.</summary>
    /// <exception cref="RequestException">One is not met.</exception>
    public static void Check(SchedulerInfo info, SchedulerOptions options)
    {
        void Require(bool met, string name, string expected)
        {
            if (!met && info.Accepts.Contains(name))
                throw Refused(info, name, Format(Properties[name].GetValue(options)), expected);
        }
        Require(options.NumTrainTimesteps is >= 2 and <= 100_000, "num_train_timesteps", "2 to 100000");
        Require(options.BetaStart is > 0 and < 1, "beta_start", "a number between 0 and 1");
        Require(options.BetaEnd is > 0 and < 1, "beta_end", "a number between 0 and 1");
        Require(options.StepsOffset >= 0 && options.StepsOffset < options.NumTrainTimesteps, "steps_offset", $"0 to {options.NumTrainTimesteps - 1}");
        Require(options.Eta is >= 0 and <= 1, "eta", "0 to 1");
        Require(options.ClipSampleRange > 0, "clip_sample_range", "a number above 0");
        Require(options.DynamicThresholdingRatio is > 0 and <= 1, "dynamic_thresholding_ratio", "a number above 0, at most 1");
        Require(options.SampleMaxValue >= 1, "sample_max_value", "a number from 1 up");
        Require(options.SigmaMin is null or > 0, "sigma_min", "a number above 0, or none");
        Require(options.SigmaMax is null || options.SigmaMax > (options.SigmaMin ?? 0), "sigma_max", "a number above sigma_min, or none");
        Require(options.SolverOrder is >= 1 and <= 3, "solver_order", "1 to 3");
        Require(options.LambdaMinClipped < 0, "lambda_min_clipped", "a number below 0, or -inf");
        Require(options.TimestepScaling > 0, "timestep_scaling", "a number above 0");
        Require(options.OriginalInferenceSteps >= 1 && options.OriginalInferenceSteps <= options.NumTrainTimesteps, "original_inference_steps",
            $"1 to {options.NumTrainTimesteps}");

        string[] spacings = [.. new[] { "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas" }
            .Where(name => Properties[name].GetValue(options) is true)];
        if (spacings.Length > 1)
            throw new RequestException($"The options {string.Join(" and ", spacings)} of the {info.Name} scheduler are both true; set one of them.");
    }

    /// <summary>The sentence for an option with a wrong value.</summary>
    public static RequestException Refused(SchedulerInfo info, string name, string value, string expected)
        => new($"Option {name} of the {info.Name} scheduler is '{value}'; expected {expected}.");

    private static string Format(object? value) => value switch
    {
        null => "none",
        bool flag => flag ? "true" : "false",
        double.NegativeInfinity => "-inf",
        Enum choice => Spelling(choice.GetType(), choice.ToString()),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static bool TryParse(Type type, string text, IReadOnlyDictionary<string, object>? choices, out object? value)
    {
        value = null;
        if (choices is not null)
            return choices.TryGetValue(text, out value);
        if (type == typeof(bool))
            return bool.TryParse(text, out var flag) && (value = flag) is not null;
        if (type == typeof(int))
            return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) && (value = whole) is not null;
        if (type == typeof(double?) && text.ToLowerInvariant() is "none" or "null")
            return true;
        if (text.ToLowerInvariant() is "-inf" or "-infinity")
            return (value = double.NegativeInfinity) is not null;
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            && double.IsFinite(number) && (value = number) is not null;
    }

    private static string Describe(Type type)
        => type == typeof(bool) ? "true or false" : type == typeof(int) ? "a whole number" : type == typeof(double) ? "a number" : "a number or none";

    private static Dictionary<string, object>? Choices(Type type, string[]? only)
    {
        if (!type.IsEnum)
            return null;
        return Enum.GetValues(type).Cast<object>()
            .Select(value => (Name: Spelling(type, value.ToString()!), Value: value))
            .Where(choice => only is null || only.Contains(choice.Name))
            .ToDictionary(choice => choice.Name, choice => choice.Value);
    }

    private static string Spelling(Type type, string member)
        => type.GetField(member)!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()?.Name
            ?? JsonNamingPolicy.SnakeCaseLower.ConvertName(member);
}
