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
        var steps = new Option<int>("--steps") { Description = "Denoising steps.", DefaultValueFactory = _ => 20, HelpName = "N" };
        var guidance = new Option<double>("--guidance") { Description = "Guidance scale.", DefaultValueFactory = _ => EmbeddedToybox.Guidance, HelpName = "SCALE" };
        var seed = new Option<ulong>("--seed") { Description = "Seed of scenes and noise.", DefaultValueFactory = _ => 1, HelpName = "N" };
        var only = new Option<string>("--only") { Description = "Sections to measure, such as a,d; the others are made of what was measured before.", DefaultValueFactory = _ => string.Join(',', StudyOptions.AllParts.AsEnumerable()), HelpName = "a,b,…" };
        var output = new Option<string>("--out") { Description = "Folder of the page and its pictures.", DefaultValueFactory = _ => "docs", HelpName = "DIR" };
        var device = new Option<string>("--device") { Description = "cpu or cuda.", DefaultValueFactory = _ => "cpu" };
        var threads = new Option<int?>("--threads") { Description = "CPU threads; all cores by default.", HelpName = "N" };
        var command = new Command("study", "Measures on the embedded models what the AnimateDiff paper claims and writes toybox-study.md with tables, figures and verdicts. What was measured before is kept, so an interrupted study goes on.")
        {
            runs, samples, steps, guidance, seed, only, output, device, threads,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = new StudyOptions
            {
                Models = EmbeddedToybox.Folder,
                Runs = parsed.GetValue(runs),
                Output = parsed.GetValue(output)!,
                Samples = parsed.GetValue(samples),
                Steps = parsed.GetValue(steps),
                Guidance = parsed.GetValue(guidance),
                Seed = parsed.GetValue(seed),
                Parts = parsed.GetValue(only)!.Replace(",", "").Replace(" ", ""),
                Device = parsed.GetValue(device)!,
                Threads = parsed.GetValue(threads),
            };
            Console.WriteLine(await ProgressDisplay.RunAsync<string>(progress => ToyboxStudy.RunAsync(options,
                new ProgressDisplay.Relay<StudyProgress>(step => progress.Report(new ProgressDisplay.Step(step.Title, step.Done, step.Total))), cancellationToken)));
            return ExitCodes.Done;
        });
        return HelpWithExamples.WithExamples(command, """
              animatediff toybox study
              animatediff toybox study --runs runs/ --only b,d
              animatediff toybox study --samples 40 --steps 10 --out quick/
            """);
    }
}
