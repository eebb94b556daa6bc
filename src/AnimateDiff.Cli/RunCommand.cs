using System.CommandLine;
using AnimateDiff.Configs;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff run</c>: the official scripts' prompt files.</summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var machine = new MachineArguments();
        var config = new Argument<string>("config") { Description = "A prompt file of the official scripts (configs/prompts/*.yaml), unchanged." };
        var baseModel = new Option<string?>("--pretrained-model-path", "--base")
        {
            Description = $"Stable Diffusion 1.5 in diffusers' layout (default: {OfficialConfig.BaseFolder} where it is, else {OfficialConfig.BaseOnHub}).",
            HelpName = "DIR",
        };
        var output = new Option<string>("--out") { Description = "Folder for the animations.", HelpName = "DIR", DefaultValueFactory = _ => "samples" };
        var format = new Option<string>("--format") { Description = "gif, webp, mp4, webm or apng.", DefaultValueFactory = _ => "gif" };
        format.AcceptOnlyFromAmong("gif", "webp", "mp4", "webm", "apng");
        var width = new Option<int?>("-W", "--width") { Description = "Width where the file has none.", HelpName = "PIXELS" };
        var height = new Option<int?>("-H", "--height") { Description = "Height where the file has none.", HelpName = "PIXELS" };
        var frames = new Option<int?>("-L", "--frames") { Description = "Frames where the file has none (default 16).", HelpName = "N" };
        var command = new Command("run", "Generates what a prompt file of the official scripts describes.") { config, baseModel, output, format, width, height, frames };
        machine.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var path = parsed.GetValue(config)!;
            var runs = OfficialConfig.Load(path);
            for (var index = 0; index < runs.Count; index++)
            {
                var run = runs[index];
                GenerationRequest[] requests = [.. run.Clips.Select(clip => Request(run, clip) with
                {
                    Width = run.Width ?? parsed.GetValue(width),
                    Height = run.Height ?? parsed.GetValue(height),
                    Frames = run.Frames ?? parsed.GetValue(frames),
                })];
                var options = machine.Apply(parsed, Options(run, OfficialConfig.Base(parsed.GetValue(baseModel))));
                var file = Path.Combine(parsed.GetValue(output)!, $"{Path.GetFileNameWithoutExtension(path)}-{index + 1}.{parsed.GetValue(format)}");
                await Generation.RunAsync(options, requests, fps: 8, file, cancellationToken);
            }
            return ExitCodes.Done;
        });
        return HelpWithExamples.WithExamples(command, """
              animatediff run configs/prompts/1_animate/1_3_animate_ToonYou.yaml --out samples/
              animatediff run my.yaml --pretrained-model-path sd15/ --format mp4 --memory low
            """);
    }

    private static PipelineOptions Options(OfficialRun run, string baseModel) => new()
    {
        Base = run.Checkpoint is null ? baseModel : Known(run.Checkpoint),
        Motion = run.MotionModule is null ? null : Known(run.MotionModule),
        Tokenizer = run.Checkpoint is null ? null : Path.Exists(baseModel) ? baseModel : $"{baseModel}:tokenizer",
        ResnetNormAcrossFrames = !run.Inference?.UseInflatedGroupNorm,
    };

    private static GenerationRequest Request(OfficialRun run, OfficialClip clip) => new(clip.Prompt)
    {
        NegativePrompts = [clip.NegativePrompt],
        PromptsAt = clip.PromptsAt,
        Seed = clip.Seed ?? GenerateCommand.RandomSeed(),
        Steps = run.Steps,
        GuidanceScale = run.GuidanceScale,
        Truncate = true,                                                    // as the official scripts do
        SchedulerOptions = SchedulerOptions(run.Inference),
        Sparse = run.SparseControl is not { } sparse ? null
            : new SparseControl(Known(sparse.Path), [.. sparse.Frames.Zip(sparse.Images, (frame, image) => new SparseImage(frame, image))]) { Normalize = sparse.NormalizeImages },
        Adapters =
        [
            .. run.ImageLora is { } lora ? [new Adapter(AdapterRole.Lora, Known(lora.Path), lora.Scale)] : Array.Empty<Adapter>(),
            .. run.DomainAdapter is { } adapter ? [new Adapter(AdapterRole.DomainAdapter, Known(adapter.Path), adapter.Scale)] : Array.Empty<Adapter>(),
            .. run.MotionLoras.Select(motion => new Adapter(AdapterRole.MotionLora, Known(motion.Path), motion.Scale)),
        ],
    };

    private static Dictionary<string, string> SchedulerOptions(OfficialInference? inference)
    {
        var options = new Dictionary<string, string>();
        void Add(string name, IFormattable? value) => AddText(name, value?.ToString(null, System.Globalization.CultureInfo.InvariantCulture));
        void AddText(string name, string? value)
        {
            if (value is not null)
                options.Add(name, value);
        }
        Add("num_train_timesteps", inference?.TrainTimesteps);
        Add("beta_start", inference?.BetaStart);
        Add("beta_end", inference?.BetaEnd);
        AddText("beta_schedule", inference?.BetaSchedule);
        Add("steps_offset", inference?.StepsOffset);
        AddText("clip_sample", inference?.ClipSample?.ToString().ToLowerInvariant());
        AddText("set_alpha_to_one", inference?.SetAlphaToOne?.ToString().ToLowerInvariant());
        AddText("prediction_type", inference?.PredictionType);
        return options;
    }

    /// <summary>A path that is not there, as the official repositories' file of that name, which the official scripts download too.</summary>
    private static string Known(string path) => Path.Exists(path) ? path : OfficialConfig.OnHub(path) ?? path;
}
