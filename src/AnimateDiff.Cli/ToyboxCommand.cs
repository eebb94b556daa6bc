using System.CommandLine;
using AnimateDiff.Toybox;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff toybox</c>, which renders the data set, and what is measured on it: <c>study</c> and <c>compare</c>.</summary>
internal static class ToyboxCommand
{
    public static Command Create()
    {
        var usual = new ToyboxOptions();
        var folder = new Argument<string>("dir") { Description = "A new folder for the data set." };
        var seed = new Option<ulong>("--seed") { Description = "Which world; equal seeds make equal bytes.", DefaultValueFactory = _ => 1, HelpName = "N" };
        var images = Count("--images", "Single pictures.", usual.Images);
        var neon = Count("--neon", "Single pictures in the neon look, to personalise with.", usual.Neon);
        var videos = Count("--videos", "Clips of 16 frames, with a watermark as in scraped video.", usual.Videos);
        var command = new Command("toybox", "Renders Toybox: a small captioned world of shapes that move, pictures and clips of 64×64, on which a whole model can be trained from nothing and measured.")
        {
            folder, seed, images, neon, videos, StudyCommand.Create(), CompareCommand.Create(),
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = usual with { Images = parsed.GetValue(images), Neon = parsed.GetValue(neon), Videos = parsed.GetValue(videos) };
            await ProgressDisplay.RunAsync(async progress =>
            {
                await ToyboxWriter.WriteAsync(parsed.GetValue(folder)!, parsed.GetValue(seed), options,
                    new ProgressDisplay.Relay<ToyboxProgress>(step => progress.Report(new ProgressDisplay.Step($"Rendering {step.Folder}", step.Done, step.Total))), cancellationToken);
                return true;
            });
            Console.WriteLine(parsed.GetValue(folder));
            return ExitCodes.Done;
        });
        return HelpWithExamples.WithExamples(command, """
              animatediff toybox toybox-data/
              animatediff toybox small/ --images 500 --neon 100 --videos 100 --seed 7
            """);
    }

    private static Option<int> Count(string name, string description, int usual)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => usual, HelpName = "N" };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < 0)
                result.AddError($"{name} is {result.GetValueOrDefault<int>()}, but a number of files is 0 or more.");
        });
        return option;
    }
}
