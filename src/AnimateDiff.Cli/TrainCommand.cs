using System.CommandLine;
using AnimateDiff.Training;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff train</c></summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var words = new Argument<string[]>("recipe key=value…")
        {
            Description = "A recipe, a YAML file such as recipes/motion-module.yaml, and settings that differ from it, such as data.path=clips/ steps=2000 rank=16. A run that goes on has its own recipe.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var output = new Option<string?>("--out") { Description = "Folder of the run: checkpoints, samples, metrics.jsonl, loss.png, TensorBoard events (default: the recipe's).", HelpName = "DIR" };
        var resume = new Option<string?>("--resume") { Description = "Folder of a run to go on with, from its last checkpoint.", HelpName = "DIR" };
        var threads = new Option<int?>("--threads") { Description = "CPU threads; all cores by default.", HelpName = "N" };
        var command = new Command("train", "Trains the parts of AnimateDiff on clips or pictures. The weights it writes go into generate's options as they are.") { words, output, resume, threads };
        command.SetAction((parsed, cancellationToken) =>
        {
            var given = parsed.GetValue(words) ?? [];
            var named = given.Length > 0 && (!given[0].Contains('=') || File.Exists(given[0]));
            if (!named && parsed.GetValue(resume) is null)
                throw new RequestException("No recipe was given: name one, such as recipes/motion-module.yaml, or a run to go on with by --resume.");
            return RunAsync(new TrainingRequest(named ? given[0] : "")
            {
                Overrides = Checked(named ? given[1..] : given),
                Output = parsed.GetValue(output),
                Resume = parsed.GetValue(resume),
                Threads = parsed.GetValue(threads) is not <= 0 ? parsed.GetValue(threads) : throw new RequestException($"--threads {parsed.GetValue(threads)}: expected 1 or more."),
                Locate = (key, name, cancellation) => HubFiles.ResolveAsync(name, cancellation, key switch
                {
                    "base" => ModelPart.Base,
                    "motion" => ModelPart.Motion,
                    "domain_adapter" => ModelPart.DomainAdapter,
                    _ => ModelPart.Other,
                }),
            }, cancellationToken);
        });
        return HelpWithExamples.WithExamples(command, """
              animatediff train recipes/domain-adapter.yaml base=sd15/ data.path=clips/ --out runs/adapter
              animatediff train recipes/motion-module.yaml base=sd15/ data.path=clips/ steps=20000 --out runs/motion
              animatediff train recipes/motion-lora.yaml base=sd15/ motion=v3_sd15_mm.ckpt data.path=zoom-in/ rank=16 steps=2000 --out runs/zoom-in
              animatediff train recipes/image-finetune.yaml base=sd15/ data.path=pictures/ --out runs/pictures
              animatediff train recipes/controlnet.yaml base=sd15/ data.path=pictures/ condition=scribble --out runs/scribble
              animatediff train recipes/sparsectrl.yaml base=sd15/ motion=v3_sd15_mm.ckpt data.path=clips/ --out runs/keyframes
              animatediff train recipes/tune-a-video.yaml base=sd15/ video=skiing.mp4 prompt="a man is skiing" --out runs/skiing
              animatediff train --resume runs/zoom-in
            """);
    }

    private static async Task<int> RunAsync(TrainingRequest request, CancellationToken cancellationToken)
    {
        TrainingProgress? last = null;
        try
        {
            var result = await TrainDisplay.RunAsync(display => Trainer.RunAsync(request, new ProgressDisplay.Relay<TrainingProgress>(progress =>
            {
                last = progress;
                display.Report(progress);
            }), cancellationToken));
            Console.Error.WriteLine($"{result.Steps} steps, loss {result.FinalLoss:0.0000}; curves in {Path.Combine(result.Folder, "loss.png")}");
            foreach (var file in result.Files)
                Console.WriteLine(file);
            return ExitCodes.Done;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            Console.Error.WriteLine(Stopped(request, last));
            return ExitCodes.Cancelled;
        }
    }

    /// <summary>What to say when a run was stopped: how far it came and the command that goes on with it.</summary>
    internal static string Stopped(TrainingRequest request, TrainingProgress? last)
    {
        if (last is null || last.Step == 0)
            return "animatediff: stopped before the first step.";
        // The run's folder has its recipe with the settings in it.
        var words = (string[])["animatediff", "train", "--resume", last.Folder ?? request.Resume ?? request.Output ?? "DIR"];
        return $"animatediff: stopped at step {last.Step}; go on with {string.Join(' ', words.Select(Quoted))}";
    }

    /// <summary>The settings, each a key and a value.</summary>
    private static string[] Checked(string[] overrides) => overrides.FirstOrDefault(setting => setting.IndexOf('=') < 1) is { } wrong
        ? throw new RequestException($"'{wrong}' is no setting: expected key=value, such as steps=2000 or data.path=clips/.")
        : overrides;

    /// <summary>A word as a shell takes it.</summary>
    private static string Quoted(string word) => word.All(letter => char.IsAsciiLetterOrDigit(letter) || "-_./=,:+@%".Contains(letter)) ? word : $"'{word.Replace("'", "'\\''")}'";
}
