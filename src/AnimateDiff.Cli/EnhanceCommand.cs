using System.CommandLine;
using AnimateDiff.Video;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff enhance</c></summary>
internal static class EnhanceCommand
{
    private const double UsualFps = 8;

    public static Command Create()
    {
        var finish = new FinishArguments();
        var input = new Argument<string>("input") { Description = "A video, a GIF, WebP or APNG, or a folder of pictures." };
        var output = new Option<string>("--out") { Description = "FILE.gif, .webp, .mp4, .webm, .apng, or a folder DIR/ for PNG frames.", HelpName = "FILE|DIR/", Required = true };
        var fps = new Option<double?>("--fps") { Description = $"Frames a second of the input (default: its own, or {UsualFps} where it has none); the output lasts as long.", HelpName = "N" };
        var closed = new Option<bool>("--closed") { Description = "The input loops: make frames between its last and its first too." };
        var device = new Option<string>("--device") { Description = "Where --upscale-model computes: cpu or cuda.", DefaultValueFactory = _ => "cpu" };
        device.AcceptOnlyFromAmong("cpu", "cuda");
        var command = new Command("enhance", "Makes frames between the frames of any video, or larger frames.") { input, output, fps, closed, device };
        finish.AddFinishTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var asked = finish.Finish(parsed) ?? throw new RequestException("Nothing is asked for: give --interpolate 2 or --upscale 2, or both.");
            asked = asked with { Closed = parsed.GetValue(closed) ? true : null };
            await RunAsync(parsed.GetValue(input)!, asked, parsed.GetValue(fps), parsed.GetValue(output)!, parsed.GetValue(device)!, null, cancellationToken);
            return ExitCodes.Done;
        });
        return HelpWithExamples.WithExamples(command, """
              animatediff enhance corgi.mp4 --interpolate 2 --upscale 2 --out smooth.mp4
              animatediff enhance loop.webp --interpolate 4 --closed --out loop.mp4
              animatediff enhance frames/ --fps 12 --upscale 4 --upscale-model RealESRGAN_x4plus.pth --out large/
            """);
    }

    /// <summary>Enhances a clip and writes it with the recipe it has, to which this step is added, or one of its own.</summary>
    public static async Task RunAsync(string input, Finish finish, double? fps, string output, string device, EnhancedRecipe? expected, CancellationToken cancellationToken)
    {
        VideoWriter.Check(output);                                          // before minutes of work, not after
        finish = finish with { UpscaleModel = finish.UpscaleModel is null ? null : await HubFiles.ResolveAsync(finish.UpscaleModel, cancellationToken) };
        var clip = await VideoReader.ReadAsync(input, cancellationToken: cancellationToken);
        var made = expected is null ? RecipeOf(input) : null;
        var rate = fps ?? made?.FpsOfOutput ?? clip.Fps ?? UsualFps;
        finish = finish with { Closed = finish.Closed ?? (made?.ToRequest().Context is { Closed: true } ? true : null) };
        VideoWriter.Check(output, rate * finish.Interpolate);
        var own = made is null ? await EnhancedRecipe.OfAsync(input, finish, rate) : null;
        if (own is not null)
            expected?.CheckFiles(own);
        var recipe = made is null ? own!.ToJson() : (await made.WithAsync(finish, rate)).ToJson();
        var frames = await ProgressDisplay.RunAsync<VideoFrames>(progress => ClipFinisher.ApplyAsync(clip.Frames, finish, device, progress, cancellationToken));
        await VideoWriter.WriteAsync(output, frames, rate * finish.Interpolate, recipe, cancellationToken: cancellationToken);
        Console.WriteLine(output);
    }

    /// <summary>The recipe that a clip has inside; null where it has none that can be read.</summary>
    private static Recipe? RecipeOf(string path)
    {
        try
        {
            return Recipe.FromJson(RecipeReader.Read(path), path);
        }
        catch (FileException)
        {
            return null;
        }
    }
}
