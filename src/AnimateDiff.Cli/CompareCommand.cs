using System.CommandLine;
using AnimateDiff.Toybox.Study;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff toybox compare</c></summary>
internal static class CompareCommand
{
    public static Command Create()
    {
        var runs = new Option<string>("--runs") { Description = "Folder for the models that Tune-A-Video tunes, eight of 12 MB; those that are there are used.", DefaultValueFactory = _ => "runs", HelpName = "DIR" };
        var samples = new Option<int>("--samples") { Description = "Prompts for each system and each model.", DefaultValueFactory = _ => 56, HelpName = "N" };
        var study = new StudyArguments();
        var command = new Command("compare", "Makes the AnimateDiff paper's comparison on the embedded models: AnimateDiff, Text2Video-Zero and Tune-A-Video on the normal and the neon model. Writes comparison.md with tables, a plot and clips. What was measured before is kept.")
        {
            runs, samples,
        };
        study.AddTo(command);
        command.SetAction((parsed, cancellationToken) => study.RunAsync(parsed, Comparison.RunAsync, options => options with { Runs = parsed.GetValue(runs), Samples = parsed.GetValue(samples) }, cancellationToken));
        return HelpWithExamples.WithExamples(command, """
              animatediff toybox compare
              animatediff toybox compare --samples 8 --steps 10 --out quick/
            """);
    }
}
