using System.CommandLine;
using AnimateDiff.Video;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff reproduce</c></summary>
internal static class ReproduceCommand
{
    public static Command Create()
    {
        var model = new ModelArguments();
        var (source, control, images, finish) = (new SourceArguments(), new ControlArguments(), new ImagePromptArguments(), new FinishArguments());
        var file = new Argument<string>("file") { Description = "An animation made by this program, or its run.json." };
        var output = new Option<string>("--out") { Description = "Where to write it.", HelpName = "FILE|DIR/", Required = true };
        var command = new Command("reproduce", "Makes an animation again from the recipe inside it: the same models, checked by their hashes, the same prompts, seed and settings. Models and pictures that have moved are given with --base, --motion, --tokenizer, and the other options of generate.") { file, output };
        source.AddFilesTo(command);
        model.AddTo(command);
        control.AddTo(command);
        images.AddTo(command);
        finish.AddFilesTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var path = parsed.GetValue(file)!;
            var json = RecipeReader.Read(path);
            if (EnhancedRecipe.TryRead(json) is { } enhanced)
            {
                var video = source.Source(parsed)?.Path ?? enhanced.Enhanced.Path;
                await EnhanceCommand.RunAsync(video, finish.Moved(parsed, [enhanced.Finish])[0], enhanced.Fps, parsed.GetValue(output)!, "cpu", enhanced, cancellationToken);
                return ExitCodes.Done;
            }
            var recipe = Recipe.FromJson(json, path);
            var request = control.Apply(parsed, recipe.ToRequest());
            if (model.Adapters(parsed) is { Count: > 0 } adapters)
                request = request with { Adapters = adapters };
            if (images.Prompts(parsed) is { Count: > 0 } prompts)
                request = request with { ImagePrompts = prompts };
            request = request with { Source = source.Source(parsed, request.Source), Finish = finish.Moved(parsed, request.Finish) };
            await Generation.RunAsync(model.Options(parsed, recipe.ToOptions()), [request], recipe.Fps, parsed.GetValue(output)!, cancellationToken, recipe);
            return ExitCodes.Done;
        });
        return HelpWithExamples.WithExamples(command, """
              animatediff reproduce corgi.gif --out again.gif
              animatediff reproduce corgi.mp4 --base /models/sd15 --out again/
            """);
    }
}
