using System.CommandLine;
using AnimateDiff.Toybox.Study;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff toybox study</c></summary>
internal static class StudyCommand
{
    public static Command Create()
    {
        var runs = new Option<string?>("--runs") { Description = "Folder of further training runs to compare with: conv1d-finish/, motion-plain/, motion-start/, motion-finish/, zoom-in-20/, zoom-in-5/, controlnet/, sparsectrl/.", HelpName = "DIR" };
        var samples = new Option<int>("--samples") { Description = "Clips of each system for the directions.", DefaultValueFactory = _ => 200, HelpName = "N" };
        var only = new Option<string>("--only") { Description = "Sections to measure, such as a,d; the others are made of what was measured before.", DefaultValueFactory = _ => string.Join(',', StudyOptions.AllParts.AsEnumerable()), HelpName = "a,b,…" };
        var study = new StudyArguments();
        var command = new Command("study", "Measures on the embedded models what the AnimateDiff paper claims and writes toybox-study.md with tables, figures and verdicts. What was measured before is kept, so an interrupted study goes on.")
        {
            runs, samples, only,
        };
        study.AddTo(command);
        command.SetAction((parsed, cancellationToken) => study.RunAsync(parsed, ToyboxStudy.RunAsync, options => options with
        {
            Runs = parsed.GetValue(runs),
            Samples = parsed.GetValue(samples),
            Parts = parsed.GetValue(only)!.Replace(",", "").Replace(" ", ""),
        }, cancellationToken));
        return HelpWithExamples.WithExamples(command, """
              animatediff toybox study
              animatediff toybox study --runs runs/ --only b,d
              animatediff toybox study --samples 40 --steps 10 --out quick/
            """);
    }
}
