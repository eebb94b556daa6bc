using System.CommandLine;
using AnimateDiff.Evaluation;
using AnimateDiff.Toybox.Measure;
using AnimateDiff.Video;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff evaluate</c></summary>
internal static class EvaluateCommand
{
    public static Command Create()
    {
        var clips = new Argument<string[]>("clips")
        {
            Description = "Videos, animations, folders of pictures, or folders of any of these; each is a column of the table. NAME=PATH puts all with one name into one column; PATH may be a pattern (NAME='runs/*.gif').",
            Arity = ArgumentArity.OneOrMore,
        };
        var clip = new Option<string?>("--clip") { Description = "Folder or hub name of a whole CLIP model: adds its text score, domain similarity and smoothness.", HelpName = "DIR" };
        var prompt = new Option<string[]>("--prompt") { Description = "What the text score compares with: one for all clips, or one for each in their order (default: the prompt in a clip's recipe).", HelpName = "TEXT" };
        var reference = new Option<string?>("--reference") { Description = "Pictures of the domain that the clips should be of, such as stills of the same personalised model: adds domain similarity.", HelpName = "DIR" };
        var against = new Option<string?>("--against") { Description = "A clip to compare with by PSNR and SSIM, or a folder with one for each clip under the same name.", HelpName = "FILE|DIR" };
        var watermark = new Option<string?>("--watermark") { Description = "A PNG of the whole frame that is transparent but for a mark, or toybox: adds the mark's strength.", HelpName = "FILE" };
        var closed = new Option<bool>("--closed") { Description = "The clips are loops: measure the seam (clips whose recipe says so have it measured anyway)." };
        var json = new Option<string?>("--json") { Description = "Writes every clip's numbers and the systems' means with their intervals as JSON.", HelpName = "FILE" };
        var plot = new Option<string?>("--plot") { Description = "Draws the systems' means with their intervals.", HelpName = "FILE.png" };
        var device = new Option<string>("--device") { Description = "Where CLIP computes: cpu or cuda.", DefaultValueFactory = _ => "cpu" };
        device.AcceptOnlyFromAmong("cpu", "cuda");
        var command = new Command("evaluate", "Measures clips, made by this program or not: motion, warping error, flicker and more, and CLIP's scores with a CLIP model. Several systems stand side by side, with 95 % intervals of the means.")
        {
            clips, clip, prompt, reference, against, watermark, closed, json, plot, device,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            foreach (var output in new[] { parsed.GetValue(json), parsed.GetValue(plot) }.OfType<string>())
                OutputFile.CheckWritable(output);
            var mark = parsed.GetValue(watermark);
            var request = new EvaluationRequest(await SystemFiles.OfAsync(parsed.GetValue(clips)!, cancellationToken))
            {
                Clip = parsed.GetValue(clip) is { } folder ? await HubFiles.ResolveAsync(folder, cancellationToken) : null,
                Prompts = parsed.GetValue(prompt) ?? [],
                Reference = parsed.GetValue(reference),
                Against = parsed.GetValue(against),
                Watermark = mark == EmbeddedToybox.Name ? null : mark,
                MarkStrength = mark == EmbeddedToybox.Name ? ToyMark : null,
                Closed = parsed.GetValue(closed),
                Device = parsed.GetValue(device)!,
            };
            var report = await ProgressDisplay.RunAsync<EvaluationReport>(progress => Evaluator.RunAsync(request,
                new ProgressDisplay.Relay<EvaluationProgress>(step => progress.Report(new("Measuring", step.Done, step.Total))), cancellationToken));
            if (request is { Clip: not null } && report.Clips.Count(measured => measured.Prompt is null) is > 0 and var silent)
                Console.Error.WriteLine($"warning: {silent} of {report.Clips.Count} clips have no text score, for their files hold no recipe; give --prompt.");
            if (parsed.GetValue(json) is { } data)
                await report.WriteJsonAsync(data);
            if (parsed.GetValue(plot) is { } picture)
                report.WritePlot(picture);
            Console.Write(report.Table());
            return ExitCodes.Done;
        });
        return HelpWithExamples.WithExamples(command, """
              animatediff evaluate corgi.gif downloaded.mp4 frames/
              animatediff evaluate plain=runs/plain tuned=runs/tuned --clip openai/clip-vit-large-patch14 --plot scores.png --json scores.json
              animatediff evaluate v2='v2/*.mp4' v3='v3/*.mp4' --clip clip/ --reference stills/ --prompt "a corgi on the beach"
              animatediff evaluate fast/ --against exact/
              animatediff evaluate loop.webp --closed --watermark toybox
            """);
    }

    private static double ToyMark(VideoFrames clip) => clip.Width == clip.Height ? WatermarkStrength.Of(clip)
        : throw new RequestException($"The Toybox watermark is known on square pictures only, not {clip.Width}×{clip.Height}; leave --watermark toybox away, or give a mark's picture.");
}
