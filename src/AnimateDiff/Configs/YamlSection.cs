using System.Globalization;
using System.Numerics;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace AnimateDiff.Configs;

/// <summary>
/// A mapping of a YAML file, read key by key with the expected types. What was never asked for is unknown:
/// <see cref="Close"/> refuses it, so the code that reads a file is also the list of its keys.
/// </summary>
internal sealed class YamlSection
{
    private readonly string _path;
    private readonly YamlMappingNode _node;
    private readonly HashSet<string> _asked = [];

    public YamlSection(string path, YamlNode node, string what)
    {
        _path = path;
        _node = node as YamlMappingNode ?? throw Error(node, $"{what} is {Kind(node)}, expected keys and values");
    }

    /// <summary>The root of the one document in a file.</summary>
    /// <exception cref="FileException">The file is missing or is no YAML.</exception>
    public static YamlNode LoadRoot(string path)
    {
        if (!File.Exists(path))
            throw new FileException(path, $"{path} does not exist.");
        using var text = File.OpenText(path);
        var parser = new Parser(text);
        try
        {
            var stream = new YamlStream();
            stream.Load(parser);
            return stream.Documents.Count == 1 ? stream.Documents[0].RootNode
                : throw new FileException(path, $"{path} holds {stream.Documents.Count} YAML documents, expected one.");
        }
        catch (YamlException e)
        {
            throw new FileException(path, $"{path}, line {e.Start.Line}: {(e.InnerException ?? e).Message.TrimEnd('.')}; correct the YAML.", e);
        }
        catch (InvalidOperationException e)
        {
            // The parser's own error at a list or group in braces that is never closed; it stands where that began.
            throw new FileException(path, $"{path}, after line {parser.Current?.End.Line ?? 1}: a bracket or brace is not closed; correct the YAML.", e);
        }
    }

    public bool Has(string key) => Find(key) is not null;

    /// <summary>Text, or null when absent or empty.</summary>
    public string? Text(string key) => Find(key) is { } node && TextOf(node, key) is { Length: > 0 } text ? text : null;

    public bool? Flag(string key) => Find(key) is not { } node ? null : Plain(node)?.ToLowerInvariant() switch
    {
        "true" or "yes" or "on" => true,
        "false" or "no" or "off" => false,
        _ => throw Wrong(node, key, "true or false"),
    };

    public double? Number(string key) => Find(key) is { } node ? NumberOf(node, key) : null;

    /// <summary>A whole number of at least <paramref name="least"/>.</summary>
    public int? Count(string key, int least = 1) => Find(key) is not { } node ? null
        : WholeOf(node, key) is var number && number >= least && number <= int.MaxValue ? (int)number
        : throw Wrong(node, key, $"a whole number of at least {least}");

    /// <summary>A number above zero.</summary>
    public double? Positive(string key) => Number(key) is not { } number ? null : number > 0 ? number : throw Wrong(Find(key)!, key, "a number above 0");

    /// <summary>A number from 0 to 1.</summary>
    public double? Fraction(string key) => Number(key) is not { } number ? null : number is >= 0 and <= 1 ? number : throw Wrong(Find(key)!, key, "a number from 0 to 1");

    /// <summary>One of a few words.</summary>
    public string? OneOf(string key, params string[] words) => Text(key) is not { } text ? null
        : words.Contains(text) ? text : throw Wrong(Find(key)!, key, $"one of {string.Join(", ", words)}{Nearest.Hint(text, words)}");

    /// <summary>A member of an enumeration, as <see cref="KebabNames"/> spells it; diffusers' spelling with _ is taken too.</summary>
    public T? Choice<T>(string key) where T : struct, Enum => Text(key) is not { } text ? null
        : KebabNames.Parse<T>(text.Replace('_', '-')) ?? throw Wrong(Find(key)!, key, $"one of {string.Join(", ", KebabNames.Of<T>())}{Nearest.Hint(text, KebabNames.Of<T>())}");

    /// <summary>Whole numbers: one, or a list.</summary>
    public IReadOnlyList<BigInteger>? Wholes(string key) => List(key, WholeOf);

    /// <summary>Texts: one, or a list.</summary>
    public IReadOnlyList<string>? Texts(string key) => List(key, TextOf);

    /// <summary>Texts as <see cref="Texts"/>, each of which may be a group of texts by frame, <c>{0: TEXT, 8: TEXT}</c>: in the order of the frames, the first at 0.</summary>
    public IReadOnlyList<IReadOnlyList<PromptAt>>? TextsAtFrames(string key) => List<IReadOnlyList<PromptAt>>(key, (node, _) =>
    {
        if (node is not YamlMappingNode group)
            return [new PromptAt(0, TextOf(node, key))];
        PromptAt[] texts = [.. group.Children.Select(pair => new PromptAt(
            int.TryParse(Plain(pair.Key), NumberStyles.None, CultureInfo.InvariantCulture, out var frame) ? frame : throw Error(pair.Key, $"{key} has a text at “{pair.Key}”, expected the number of a frame"),
            TextOf(pair.Value, key))).OrderBy(text => text.Frame)];
        return texts is [{ Frame: 0 }, ..] ? texts : throw Error(node, $"{key} has texts by frame and none at 0, where the clip begins");
    });

    public YamlSection? Section(string key) => Find(key) is { } node ? new YamlSection(_path, node, key) : null;

    public IReadOnlyList<YamlSection> Sections(string key) => Find(key) switch
    {
        null => [],
        YamlSequenceNode list => [.. list.Select(node => new YamlSection(_path, node, $"an entry of {key}"))],
        { } node => throw Wrong(node, key, "a list"),
    };

    /// <summary>Refuses keys that nobody asked for.</summary>
    /// <exception cref="RequestException">There is one; the message names it, its line, and the key probably meant.</exception>
    public void Close()
    {
        foreach (var key in _node.Children.Keys)
            if (!_asked.Contains(TextOf(key, "a key")))
                throw Error(key, $"unknown key {key}{Nearest.Hint(key.ToString(), _asked)}; expected one of {string.Join(", ", _asked)}");
    }

    /// <summary>An error about a key (or about the whole section, when the key is absent).</summary>
    public RequestException Error(string key, string message) => Error(Find(key) ?? _node, $"{key}: {message}");

    private RequestException Error(YamlNode node, string message) => new($"{_path}, line {node.Start.Line}: {message}.");

    private RequestException Wrong(YamlNode node, string key, string expected) =>
        Error(node, $"{key} is {(node is YamlScalarNode scalar ? $"“{scalar.Value}”" : Kind(node))}, expected {expected}");

    private YamlNode? Find(string key)
    {
        _asked.Add(key);
        return _node.Children.TryGetValue(new YamlScalarNode(key), out var node) && !IsNull(node) ? node : null;
    }

    private List<T>? List<T>(string key, Func<YamlNode, string, T> read) => Find(key) switch
    {
        null => null,
        YamlSequenceNode list => [.. list.Select(node => read(node, key))],
        { } node => [read(node, key)],
    };

    private string TextOf(YamlNode node, string key) => node is YamlScalarNode { Value: { } text } ? text : throw Wrong(node, key, "text");

    private BigInteger WholeOf(YamlNode node, string key) =>
        BigInteger.TryParse(Plain(node), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number
            : throw Wrong(node, key, "a whole number");

    private double NumberOf(YamlNode node, string key) =>
        double.TryParse(Plain(node), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number
            : throw Wrong(node, key, "a number");

    /// <summary>The text of an unquoted value: quoted ones are text, also when they look like numbers.</summary>
    private static string? Plain(YamlNode node) => node is YamlScalarNode { Style: ScalarStyle.Plain } scalar ? scalar.Value : null;

    private static bool IsNull(YamlNode node) => Plain(node) is "" or "~" or "null" or "Null" or "NULL";

    private static string Kind(YamlNode node) => node switch
    {
        YamlSequenceNode => "a list",
        YamlMappingNode => "a group of keys",
        _ => $"“{node}”",
    };
}
