using System.Diagnostics;
using AnimateDiff.Cli;
using AnimateDiff.Video;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Training;

/// <summary>Runs that cannot go on: the exit code, a sentence, and nothing half-written.</summary>
public sealed class FailureTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, int, string[]> Refusals => new()
    {
        { "data.path=EMPTY", 3, ["EMPTY"] },
        { "data.path=/nowhere", 3, ["/nowhere"] },
        { "data.path=CSV data.video_folder=EMPTY", 3, ["no name", "videoid, name, page_dir"] },
        { "data.path=BROKEN", 3, ["1 of 1 entries", "dataset check"] },
        { "data.path=BROKEN cache=CACHE", 3, ["1 of 1 entries", "dataset check"] },
        { "learning_rat=1e-3", 2, ["learning_rat", "learning_rate"] },
        { "steps=many", 2, ["steps", "many"] },
        { "steps", 2, ["key=value"] },
        { "data.stride=0", 2, ["stride"] },
        { "warmup_steps=9 steps=9", 2, ["warmup_steps"] },
        { "logit_mean=1", 2, ["logit_std"] },
        { "stage=motion-lora", 2, ["motion", "missing"] },
        { "precision=fp16", 2, ["fp32, bf16"] },
        { "base=/nowhere", 3, ["/nowhere"] },
        { "tokenizer=/nowhere", 3, ["/nowhere"] },
        { "motion=EMPTY", 3, ["EMPTY"] },
        { "domain_adapter=MOTIONLORA", 3, ["domain adapter"] },
        { "vae=EMPTY", 3, ["EMPTY"] },
        { "steps=1 --out RECIPE/run", 3, ["cannot be written"] },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task Wrong_recipes_are_refused_with_a_sentence(string arguments, int expected, string[] named)
    {
        Directory.CreateDirectory(_folder["EMPTY"]);
        _folder.Write("list.csv", "videoid,caption\n1,a dog\n");
        _folder.Write("BROKEN/clip.webp", "this is no picture");
        var recipe = await TrainingRuns.RecipeAsync(_folder, "motion-module", "steps=2");
        string Filled(string word) => word.Replace("EMPTY", _folder["EMPTY"]).Replace("CSV", _folder["list.csv"]).Replace("BROKEN", _folder["BROKEN"])
            .Replace("CACHE", _folder["cache"]).Replace("MOTIONLORA", Goldens.Model("motionlora-zoom-in.ckpt")).Replace("RECIPE", recipe);
        var words = arguments.Split(' ').Select(Filled).ToArray();
        var (code, error) = await TrainAsync([recipe, .. words, .. words.Contains("--out") ? (string[])[] : ["--out", _folder["run"]]]);
        Assert.True(code == expected && error.StartsWith("animatediff: ") && named.All(name => error.Contains(Filled(name))), $"{code}: {error}");
        Assert.False(Directory.Exists(_folder["run/checkpoints"]));
    }

    [Fact]
    public async Task A_missing_recipe_is_named()
    {
        var (code, error) = await TrainAsync(_folder["none.yaml"]);
        Assert.Equal((3, true), (code, error.Contains("none.yaml does not exist")));
    }

    [Fact]
    public async Task Without_ffmpeg_the_programs_to_install_are_named()
    {
        _folder.Write("videos/clip.mp4", "never opened");
        var recipe = await TrainingRuns.RecipeAsync(_folder, "motion-module", $"data.path={_folder["videos"]}");
        Ffmpeg.SearchPath.Value = _folder.Path;
        var (code, error) = await TrainAsync(recipe, "--out", _folder["run"]);
        Ffmpeg.SearchPath.Value = null;
        Assert.True(code == 3 && error.Contains("install ffmpeg"), $"{code}: {error}");
    }

    [Fact]
    public async Task A_loss_that_is_no_number_stops_the_run_and_names_step_and_checkpoint()
    {
        var recipe = await TrainingRuns.RecipeAsync(_folder, "motion-module", "steps=4", "checkpoint_every=1", "batch_size=1");
        var (code, error) = await TrainAsync(recipe, "offset_noise=1e30", "--out", _folder["none"]);
        Assert.True(code == 1 && error.Contains("Step 1 was not taken: the loss is not a number") && error.Contains("missing"), $"{code}: {error}");
        Assert.False(Directory.Exists(_folder["none/checkpoints"]));

        (code, error) = await TrainAsync(recipe, "learning_rate=1e30", "--out", _folder["run"]);
        Assert.True(code == 1 && error.Contains("Step 2 was not taken") && error.Contains(TrainingRuns.CheckpointOf(_folder["run"], 1)), $"{code}: {error}");
        Assert.Single(TrainingRuns.Losses(_folder["run"]));
        Assert.All(TrainingRuns.Values(TrainingRuns.CheckpointOf(_folder["run"], 1)).Values, values => Assert.All(values, value => Assert.True(float.IsFinite(value))));
    }

    // The steps before are made up: a run of low losses, of which only the metrics are left.
    [Fact]
    public async Task A_loss_that_runs_away_stops_the_run()
    {
        var recipe = await TrainingRuns.RecipeAsync(_folder, "domain-adapter", "steps=1");
        Assert.Equal(0, (await TrainAsync(recipe, "--out", _folder["run"])).Code);
        using (var file = SafetensorsFile.Open(TrainingRuns.CheckpointOf(_folder["run"], 1)))
            SafetensorsWriter.Write(TrainingRuns.CheckpointOf(_folder["run"], 120), file, new Dictionary<string, string>(file.Metadata) { ["step"] = "120" });
        File.WriteAllLines(_folder["run/metrics.jsonl"], Enumerable.Range(1, 120).Select(step => $$"""{"step":{{step}},"loss":0.001,"learning_rate":0.001}"""));
        var (code, error) = await TrainAsync(recipe, "--resume", _folder["run"], "steps=200");
        Assert.True(code == 1 && error.Contains("Step 121 was not taken: the loss runs away") && error.Contains("step-000120.safetensors"), $"{code}: {error}");
        Assert.Equal(120, TrainingRuns.Losses(_folder["run"]).Length);
    }

    [Fact]
    public async Task A_full_disk_ends_with_a_sentence_and_no_half_checkpoint()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "ulimit is a shell's");
        var recipe = await TrainingRuns.RecipeAsync(_folder, "motion-module", "steps=1", "batch_size=1");
        var program = Path.Combine(AppContext.BaseDirectory, "animatediff-cli");
        var info = new ProcessStartInfo("/bin/sh", ["-c", "trap '' XFSZ; ulimit -f 200; exec \"$0\" \"$@\"", program, "train", recipe, "--out", _folder["run"]]) { RedirectStandardError = true, RedirectStandardOutput = true };
        info.Environment["DOTNET_EnableWriteXorExecute"] = "0";                         // its mapping counts as a large file
        using var process = Process.Start(info)!;
        var error = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 3 && error.Contains("step-000001.safetensors") && error.Contains("cannot be written"), $"{process.ExitCode}: {error}");
        Assert.Empty(Directory.GetFiles(_folder["run/checkpoints"]));
    }

    private static async Task<(int Code, string Error)> TrainAsync(params string[] args)
    {
        using var error = new StringWriter();
        return (await App.RunAsync(["train", .. args], error, TestContext.Current.CancellationToken), error.ToString());
    }
}
