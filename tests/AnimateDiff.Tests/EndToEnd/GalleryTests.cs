using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using AnimateDiff.Cli;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>docs/gallery.md: its commands are the script's and the program's, its links lead to files.</summary>
public sealed partial class GalleryTests
{
    private const string Program = "./animatediff ";

    private static string Docs => Path.Combine(Goldens.Repository, "docs");

    private static string[] Page => File.ReadAllLines(Path.Combine(Docs, "gallery.md"));

    [Fact]
    public void Its_commands_are_those_that_the_script_runs()
        => Assert.Equal(Commands(File.ReadAllLines(Path.Combine(Docs, "make-gallery"))), Commands(Page));

    [Fact]
    public void Its_commands_have_only_options_there_are()
    {
        var root = new Command("animatediff") { GenerateCommand.Create(), EnhanceCommand.Create() };
        Assert.All(Commands(Page), command =>
        {
            string[] words = [.. CommandLineParser.SplitCommandLine(command[Program.Length..]).Select(word => word.Replace("docs/", $"{Docs}/"))];
            Assert.Empty(root.Parse(ConfigFile.Expand(root, words)).Errors);
        });
    }

    [Fact]
    public void Its_links_lead_to_files()
    {
        var links = Page.SelectMany(line => Link().Matches(line)).Select(match => match.Groups[1].Value).ToArray();
        Assert.NotEmpty(links);
        Assert.All(links, link => Assert.True(File.Exists(Path.Combine(Docs, link)), link));
    }

    private static string[] Commands(string[] lines)
    {
        string[] commands = [.. lines.Where(line => line.StartsWith(Program, StringComparison.Ordinal))];
        Assert.NotEmpty(commands);
        return commands;
    }

    [GeneratedRegex(@"\]\(([^)#:]+)\)")]
    private static partial Regex Link();
}
