using AnimateDiff.Configs;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace AnimateDiff.Training;

/// <summary>A recipe's YAML with overrides put in: what is read, and what is written into the run's folder so that the run can be made again.</summary>
internal sealed class RecipeText
{
    private RecipeText(string path, YamlMappingNode root) => (Path, Root) = (path, root);

    /// <summary>The file it comes from, for messages.</summary>
    public string Path { get; }

    /// <summary>Its keys and values.</summary>
    public YamlMappingNode Root { get; }

    /// <summary>Reads a file and puts overrides over it.</summary>
    /// <param name="path">The recipe.</param>
    /// <param name="overrides"><c>key=value</c>; a dot leads into a group (<c>data.path=clips/</c>), a value is YAML (<c>[a, b]</c> is a list).</param>
    /// <exception cref="FileException">The file is missing or is no YAML.</exception>
    /// <exception cref="RequestException">An override has no key or its value is no YAML.</exception>
    public static RecipeText Load(string path, IReadOnlyList<string> overrides)
    {
        var root = YamlSection.LoadRoot(path) as YamlMappingNode
            ?? throw new RequestException($"{path}, line 1: a recipe is keys and values, such as 'stage: motion-module'.");
        foreach (var text in overrides)
            Put(root, text);
        return new RecipeText(path, root);
    }

    /// <summary>The text with everything in it.</summary>
    public override string ToString()
    {
        using var writer = new StringWriter();
        new YamlStream(new YamlDocument(Root)).Save(writer, assignAnchors: false);
        return writer.ToString().Replace("\n...", "");
    }

    private static void Put(YamlMappingNode root, string text)
    {
        var equals = text.IndexOf('=');
        if (equals < 1)
            throw new RequestException($"The setting “{text}” is not understood: expected key=value, such as steps=2000 or data.path=clips/.");
        var keys = text[..equals].Trim().Split('.');
        var group = root;
        foreach (var key in keys[..^1])
        {
            if (!group.Children.TryGetValue(key, out var child) || child is not YamlMappingNode next)
                group.Children[key] = next = [];
            group = next;
        }
        group.Children[keys[^1]] = Value(text, text[(equals + 1)..]);
    }

    private static YamlNode Value(string text, string value)
    {
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(value));
            return stream.Documents is [{ RootNode: var node }] ? node : new YamlScalarNode("");
        }
        catch (YamlException error)
        {
            throw new RequestException($"The value of the setting “{text}” is no YAML: {error.Message}", error);
        }
    }
}
