using System.Text;
using AnimateDiff.Video;

namespace AnimateDiff.Toybox.Study;

/// <summary>A section of the page.</summary>
/// <param name="Letter">Its letter in <see cref="StudyOptions.AllParts"/>.</param>
/// <param name="Title">Its heading.</param>
/// <param name="Claim">What the paper says, in a sentence.</param>
/// <param name="Verdict">What the numbers say to that.</param>
/// <param name="Body">What was measured, tables and pictures, in Markdown.</param>
internal sealed record StudySection(char Letter, string Title, string Claim, Verdict Verdict, string Body);

/// <summary>What the numbers say to a claim.</summary>
/// <param name="Held">Null where too little was measured.</param>
/// <param name="Reason">The numbers, and the criterion they are judged by.</param>
internal sealed record Verdict(bool? Held, string Reason)
{
    /// <summary>The verdict where systems that it needs have no rows.</summary>
    public static Verdict None(params IEnumerable<Measured> needed) =>
        new(null, $"{string.Join(", ", needed.Where(entry => entry.Rows.Count == 0).Select(entry => entry.System.Title))}: not measured.");

    /// <summary>In a word or two.</summary>
    public string Word => Held switch { true => "held", false => "not held", null => "not judged" };
}

/// <summary>A system and what was measured of it.</summary>
/// <param name="System">The system.</param>
/// <param name="Set">The scenes.</param>
/// <param name="Rows">Empty where nothing was measured.</param>
internal sealed record Measured(StudySystem System, SampleSet Set, IReadOnlyList<StudyRow> Rows);

/// <summary>The study's page, made of measurements only.</summary>
internal static class StudyPage
{
    /// <summary>Name of the page.</summary>
    public const string Name = "toybox-study.md";

    /// <summary>The folder beside it with pictures and measurements.</summary>
    public const string Folder = "toybox-study";

    public static Task WriteAsync(StudyOptions options, IReadOnlyList<StudySection> sections)
    {
        var page = new StringBuilder(FormattableString.Invariant($"""
            # Toybox study

            What the AnimateDiff paper (Guo et al., "AnimateDiff: Animate Your Personalized Text-to-Image Diffusion Models without Specific Tuning", ICLR 2024) claims,
            measured on models that were trained from nothing on [Toybox](../recipes/toybox), a world of simple shapes where every prompt says exactly what has to be seen. This page is written by
            `animatediff toybox study` from its [measurements]({Folder}/measurements.jsonl); delete those to measure anew.

            Settings: {options.Settings}; {ToyRenderer.ClipFrames} frames of {ToyRenderer.Size}×{ToyRenderer.Size}; seed {options.Seed} (scenes, and the noise together
            with their numbers: systems are compared on the same prompts and the same noise). In brackets are 95 % intervals: Wilson's for shares, percentile bootstrap
            (2000 draws) for means and medians. Lengths are in 1/64 of the picture's side.

            | | Claim | Verdict |
            | --- | --- | --- |

            """));
        foreach (var section in sections)
            page.Append($"| {section.Letter} | {section.Claim} | **{section.Verdict.Word}** |\n");
        foreach (var section in sections)
            page.Append($"\n## {section.Letter}. {section.Title}\n\n**The claim.** {section.Claim}\n\n{section.Body.Trim()}\n\n**Verdict: {section.Verdict.Word}.** {section.Verdict.Reason}\n");
        return OutputFile.WriteAsync(Path.Combine(options.Output, Name), temporary => File.WriteAllTextAsync(temporary, page.ToString()));
    }

    /// <summary>A table in Markdown, and a line for each system that has no rows in it.</summary>
    /// <param name="measured">A row for each that has some.</param>
    /// <param name="columns">Heading and cell of each column.</param>
    public static string Table(IReadOnlyList<Measured> measured, params IReadOnlyList<(string Heading, Func<Measured, string> Cell)> columns)
    {
        var text = new StringBuilder();
        if (measured.Any(entry => entry.Rows.Count > 0))
        {
            text.Append($"| {string.Join(" | ", columns.Select(column => column.Heading))} |\n|{string.Concat(columns.Select(_ => " --- |"))}\n");
            foreach (var entry in measured.Where(entry => entry.Rows.Count > 0))
                text.Append($"| {string.Join(" | ", columns.Select(column => column.Cell(entry)))} |\n");
        }
        foreach (var entry in measured.Where(entry => entry.Rows.Count == 0))
            text.Append($"\nnot measured: {entry.System.Title}{(entry.System.Missing is { Length: > 0 } files ? $" ({string.Join(", ", files.Select(file => $"`{file.Name}`"))} not there)" : "")}\n");
        return text.ToString();
    }

    /// <summary>The columns every table begins with.</summary>
    public static (string, Func<Measured, string>)[] Head { get; } = [("System", entry => entry.System.Title), ("n", entry => $"{entry.Rows.Count}")];

    /// <summary>A picture of the page's folder.</summary>
    public static string Image(string name, string alt, string folder = Folder) => $"![{alt}]({folder}/{name})";
}
