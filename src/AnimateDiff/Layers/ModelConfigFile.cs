using System.Text.Json;

namespace AnimateDiff.Layers;

/// <summary>diffusers' config.json: snake_case names, more keys than a model reads, and some that it must not ignore.</summary>
internal static class ModelConfigFile
{
    private static readonly JsonSerializerOptions Options = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>The text of a configuration.</summary>
    /// <param name="path">The config.json.</param>
    /// <param name="what">What it configures, for messages.</param>
    /// <exception cref="FileException">It does not exist.</exception>
    public static string Text(string path, string what) =>
        File.Exists(path) ? File.ReadAllText(path) : throw new FileException(path, $"{path} does not exist; a {what} folder in the diffusers layout has one.");

    /// <summary>Reads a configuration; keys that change the architecture must be absent or have the one value that is built.</summary>
    /// <param name="text">The text of a config.json.</param>
    /// <param name="path">Where it comes from, for messages.</param>
    /// <param name="what">What it configures, for messages.</param>
    /// <param name="builtOnlyAs">Key → the JSON text of the value that is built.</param>
    public static T Parse<T>(string text, string path, string what, IReadOnlyDictionary<string, string> builtOnlyAs)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            foreach (var (key, built) in builtOnlyAs)
                if (json.RootElement.TryGetProperty(key, out var value) && !JsonElement.DeepEquals(value, JsonElement.Parse(built)))
                    throw new FileException(path,
                        $"{path} says {key} = {value.GetRawText()}, but this program builds the {what} only with {built}; use one of the Stable Diffusion 1.x family.");
            return json.RootElement.Deserialize<T>(Options) ?? throw new JsonException("The file holds null.");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new FileException(path, $"{path} is not a {what} configuration that this program understands: {error.Message}", error);
        }
    }

    /// <summary>Throws unless <paramref name="holds"/>, naming the setting, its value and what is allowed.</summary>
    public static void Require(bool holds, string setting, object? value, string allowed)
    {
        if (!holds)
            throw new RequestException($"{setting} is {(value is IEnumerable<int> list ? $"[{string.Join(", ", list)}]" : value)}; it must be {allowed}.");
    }

    /// <summary>Throws unless block_out_channels are multiples of a number of groups or heads.</summary>
    public static void RequireMultiples(IReadOnlyList<int> channels, int of, string setting)
        => Require(channels.Count > 0 && of > 0 && channels.All(own => own % of == 0), "block_out_channels", channels, $"multiples of {setting} ({of})");
}
