using System.CommandLine;
using AnimateDiff.Video;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff invert</c></summary>
internal static class InvertCommand
{
    public static Command Create()
    {
        var model = new ModelArguments();
        var video = new Argument<string>("video") { Description = "A video, or a folder of pictures." };
        var prompt = new Option<string?>("--prompt") { Description = "What the clip shows (default: the prompt in the clip's recipe, where it has one; else nothing).", HelpName = "TEXT" };
        var output = new Option<string>("--out") { Description = "The file to write: safetensors with the latents and how they were made, for animatediff generate --latents.", HelpName = "FILE", Required = true };
        var frames = new Option<int?>("--frames") { Description = "Frames from the first on (default: all, as far as the motion module reaches).", HelpName = "N" };
        var width = new Option<int?>("--width") { Description = "Width in pixels (default: the model's, 512 for Stable Diffusion 1.5).", HelpName = "PIXELS" };
        var height = new Option<int?>("--height") { Description = "Height in pixels (default: the model's).", HelpName = "PIXELS" };
        var steps = new Option<int>("--steps") { Description = "Steps back to noise; more of them are more exact.", DefaultValueFactory = _ => 50 };
        var guidance = new Option<double>("--guidance") { Description = "Guidance scale; above 1 the way back is less exact.", DefaultValueFactory = _ => 1 };
        var schedulerOptions = new Option<string[]>("--scheduler-option") { Description = "An option of the sampler, ddim, by diffusers' name, such as timestep_spacing=trailing; repeatable.", HelpName = "KEY=VALUE" };
        var context = new Option<string?>("--context") { Description = "Long clips in overlapping windows of frames, such as 16:4.", HelpName = "LENGTH:OVERLAP" };
        var clipSkip = new Option<int>("--clip-skip") { Description = "Layers of the text encoder to leave out at its end, as diffusers counts.", DefaultValueFactory = _ => 0 };
        var semantics = new Option<string>("--semantics") { Description = "Whose numbers: official or diffusers.", DefaultValueFactory = _ => "official" };
        semantics.AcceptOnlyFromAmong("official", "diffusers");
        var command = new Command("invert", "Takes a clip back to the noise it could have been generated from (DDIM inversion), to edit it: animatediff generate --latents begins there, with another prompt.")
        {
            video, prompt, output, frames, width, height, steps, guidance, schedulerOptions, context, clipSkip, semantics,
        };
        model.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (clip, path, options) = (parsed.GetValue(video)!, parsed.GetValue(output)!, model.Options(parsed));
            var request = new GenerationRequest(parsed.GetValue(prompt) ?? Recipe.InClip(clip)?.Prompts[0] ?? "")
            {
                Source = new ClipSource(SourceKind.Video, clip, 1),
                Frames = parsed.GetValue(frames),
                Width = parsed.GetValue(width),
                Height = parsed.GetValue(height),
                Steps = parsed.GetValue(steps),
                GuidanceScale = parsed.GetValue(guidance),
                SchedulerOptions = GenerateCommand.KeyValues(parsed.GetValue(schedulerOptions) ?? []),
                Context = parsed.GetValue(context) is { } windows ? FrameContext.Parse(windows) : null,
                ClipSkip = parsed.GetValue(clipSkip),
                Semantics = Enum.Parse<Semantics>(parsed.GetValue(semantics)!, ignoreCase: true),
                Adapters = model.Adapters(parsed),
            };
            request.Validate();                                             // before minutes of work, not after
            OutputFile.CheckWritable(path);
            model.SayIfEmbedded(parsed);
            var (local, resolved) = (await HubFiles.ResolveAsync(options, cancellationToken), await HubFiles.ResolveAsync(request, cancellationToken));
            await AnimateDiffPipeline.CheckMemoryAsync(local, resolved, cancellationToken);
            using var pipeline = await ProgressDisplay.RunAsync<AnimateDiffPipeline>(progress => AnimateDiffPipeline.LoadAsync(local, progress, cancellationToken));
            foreach (var note in pipeline.Notes)
                Console.Error.WriteLine(note);
            Console.Error.WriteLine($"{clip} as \"{request.Prompts[0]}\"");
            var made = await ProgressDisplay.RunAsync<GeneratedFile>(
                progress => pipeline.InvertAsync(resolved, path, recipe => Generation.AsGiven(recipe, options, request), progress, cancellationToken), denoising: "Inverting");
            foreach (var warning in made.Warnings)
                Console.Error.WriteLine($"warning: {warning}");
            Console.WriteLine(path);
            return ExitCodes.Done;
        });
        return HelpWithExamples.WithExamples(command, """
              animatediff invert corgi.mp4 --prompt "a corgi on the beach" --base sd15/ --motion v3_sd15_mm.ckpt --out corgi.safetensors
              animatediff generate "a fox on the beach" --latents corgi.safetensors --base sd15/ --motion v3_sd15_mm.ckpt --out fox.gif
              animatediff invert ball.gif --out ball.safetensors
              animatediff generate "a red ball moves right" --latents ball.safetensors --guidance 1 --out again.gif
            """);
    }
}
