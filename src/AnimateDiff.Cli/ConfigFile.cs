using System.CommandLine;
using AnimateDiff.Configs;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace AnimateDiff.Cli;

/// <summary>
/// A YAML file with a command's options under their names, as arguments: <c>motion-lora: [a.ckpt:0.5, b.ckpt]</c> is
/// <c>--motion-lora=a.ckpt:0.5 --motion-lora=b.ckpt</c>. It knows of options what the command knows, so that it has every option there is.
/// </summary>
internal static class ConfigFile
{
    /// <summary>The option that names the file.</summary>
    public const string Option = "--config";

    /// <summary>The arguments with those of the file that they name put before; without one, the arguments as they are.</summary>
    /// <param name="root">The program.</param>
    /// <param name="arguments">As given.</param>
    /// <exception cref="FileException">The file is missing or is no YAML.</exception>
    /// <exception cref="RequestException">It has a key that is no option of the command, or a value that is none.</exception>
    public static string[] Expand(Command root, string[] arguments)
    {
        var parsed = root.Parse(arguments);
        var command = parsed.CommandResult.Command;
        if (command.Options.OfType<Option<string?>>().FirstOrDefault(option => option.Name == Option) is not { } config
            || parsed.GetResult(config) is not { Implicit: false, Errors: var errors } || errors.Any() || parsed.GetValue(config) is not { } path)
            return arguments;
        var place = Array.IndexOf(arguments, command.Name) + 1;
        var (options, words) = Read(path, command, option => parsed.GetResult(option) is { Implicit: false },
            argument => parsed.GetResult(argument) is { Tokens.Count: > 0 });
        return [.. arguments[..place], .. options, .. arguments[place..], .. words.Count == 0 ? [] : arguments.Contains("--") ? words : words.Prepend("--")];
    }

    // What is given on the command line wins, also where the file has a list.
    private static (IReadOnlyList<string> Options, IReadOnlyList<string> Words) Read(string path, Command command, Func<Option, bool> isGiven, Func<Argument, bool> isWord)
    {
        var root = YamlSection.LoadRoot(path) as YamlMappingNode
            ?? throw new RequestException($"{path}, line 1: expected the options of {command.Name} with their values, such as 'prompt: a corgi' and 'steps: 25'.");
        var (options, words) = (new List<string>(), new List<string>());
        var known = command.Options.Where(option => option.Name != Option).ToArray();
        foreach (var (key, value) in root.Children)
        {
            var name = (key as YamlScalarNode)?.Value ?? "";
            if (command.Arguments.FirstOrDefault(argument => argument.Name == name) is { } argument)
            {
                if (!isWord(argument))
                    words.AddRange(Values(path, name, value, ':'));
                continue;
            }
            var option = known.FirstOrDefault(option => option.Name == $"--{name}")
                ?? throw Error(path, key, $"unknown key {name}{Nearest.Hint(name, Names())}; expected one of {string.Join(", ", Names())}");
            if (!isGiven(option))
                options.AddRange(Of(path, name, option, value));
        }
        return (options, words);

        IEnumerable<string> Names() => [.. command.Arguments.Select(argument => argument.Name), .. known.Select(option => option.Name.TrimStart('-'))];
    }

    private static IEnumerable<string> Of(string path, string name, Option option, YamlNode value)
    {
        var joint = option.HelpName?.FirstOrDefault(letter => letter is '=' or ':') is '=' ? '=' : ':';                   // KEY=VALUE, FRAME:TEXT
        string[] values = [.. Values(path, name, value, joint)];
        if (option.Arity.MaximumNumberOfValues <= 1 && value is YamlMappingNode)
            values = [string.Join(',', values)];                            // a curve: {0: 9, 15: 4} is 0:9,15:4
        if (option.ValueType == typeof(bool))
            values = [.. values.Select(flag => flag.ToLowerInvariant() switch
            {
                "true" or "yes" or "on" => "true",
                "false" or "no" or "off" => "false",
                _ => throw Error(path, value, $"{name} is “{flag}”, expected true or false"),
            })];
        return values.SelectMany<string, string>(text => text.Length == 0 ? [option.Name, ""] : [$"{option.Name}={text}"]);
    }

    private static IEnumerable<string> Values(string path, string name, YamlNode value, char joint) => value switch
    {
        YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "~" or "null" } => [],
        YamlScalarNode scalar => [scalar.Value!],
        YamlSequenceNode list => list.SelectMany(entry => entry is YamlScalarNode ? Values(path, name, entry, joint) : throw Error(path, entry, $"{name} has a list or group in its list, expected texts or numbers")),
        YamlMappingNode group => group.Children.SelectMany(pair => Values(path, name, pair.Value, joint).Select(text => $"{pair.Key}{joint}{text}")),
        _ => throw Error(path, value, $"{name} has no value that can be read"),
    };

    private static RequestException Error(string path, YamlNode node, string message) => new($"{path}, line {node.Start.Line}: {message}.");
}
