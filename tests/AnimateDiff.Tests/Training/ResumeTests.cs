using AnimateDiff.Tests.EndToEnd;
using AnimateDiff.Training;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Training;

/// <summary>A run that was stopped, in whatever way, goes on as if it had not been: the same numbers and the same weights, bit for bit.</summary>
public sealed class ResumeTests : IDisposable
{
    private const int Kill = 9;                                             // SIGKILL

    private static readonly string[] Motion =
    [
        "steps=5", "batch_size=1", "gradient_accumulation=2", "ema_decay=0.9", "warmup_steps=2", "lr_schedule=cosine", "caption_dropout=0.5", "weak_signal=0.5", "checkpoint_every=2", "data.flip=true",
        "validation.every=3", "validation.samples=1", "validation.buckets=2", $"validation.data={{path: CLIPS, frames: 4, stride: 1, width: 32, height: 32}}",
    ];

    private static readonly string[] Camera = ["steps=4", "data.path=STILLS", "data.camera=zoom-in", "checkpoint_every=3", "domain_adapter=ADAPTER:0.8"];
    private static readonly string[] Images = ["steps=4", "train_text_encoder=true", "caption_dropout=0.5", "offset_noise=0.1", "min_snr_gamma=5", "checkpoint_every=3"];
    private static readonly string[] Vae = ["steps=4", "crop=16", "ema_decay=0.5", "checkpoint_every=3"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, string[], int, string> Stages => new()
    {
        { "motion-module", Motion, 3, "motion-module.safetensors" },
        { "motion-lora", Camera, 2, "motion-lora.safetensors" },
        { "image-finetune", Images, 2, "model/unet/diffusion_pytorch_model.safetensors" },
        { "vae", Vae, 3, "vae/diffusion_pytorch_model.safetensors" },
    };

    [Theory]
    [MemberData(nameof(Stages))]
    public async Task A_cancelled_run_goes_on_bit_for_bit(string stage, string[] settings, int stopAfter, string file)
    {
        var recipe = await TrainingRuns.RecipeAsync(_folder, stage, Filled(settings));
        var whole = await TrainingRuns.RunAsync(new TrainingRequest(recipe) { Output = _folder["whole"] });

        var stopped = await TrainingRuns.CancelledAsync(new TrainingRequest(recipe) { Output = _folder["stopped"] }, stopAfter);
        Assert.True(File.Exists(TrainingRuns.CheckpointOf(stopped, stopAfter)), "no checkpoint of the last step");
        var resumed = await TrainingRuns.RunAsync(new TrainingRequest("") { Resume = stopped });

        RequireSame(whole, resumed, file);
        Assert.Contains(resumed.Messages, message => message.EndsWith($"going on after step {stopAfter}."));
    }

    [Fact]
    public async Task A_killed_run_goes_on_bit_for_bit()
    {
        var settings = Filled([.. Motion, "steps=6"]);
        var recipe = await TrainingRuns.RecipeAsync(_folder, "motion-module", settings);
        var whole = await TrainingRuns.RunAsync(new TrainingRequest(recipe) { Output = _folder["whole"] });

        using var process = CliProcess.Start(new Dictionary<string, string>(), ["train", recipe, "steps=6", "--out", _folder["killed"]]);
        while (await process.StandardError.ReadLineAsync(TestContext.Current.CancellationToken) is { } line && !line.StartsWith("Step 2: checkpoint", StringComparison.Ordinal))
        {
        }
        CliProcess.Signal(process, Kill);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(128 + Kill, process.ExitCode);
        Assert.False(File.Exists(_folder["killed/motion-module.safetensors"]), "the run came to its end before it was killed");
        File.AppendAllText(_folder["killed/metrics.jsonl"], "{\"step\":4,\"lo");                            // what a killed process may leave of a line

        RequireSame(whole, await TrainingRuns.RunAsync(new TrainingRequest("") { Resume = _folder["killed"] }), "motion-module.safetensors");
        Assert.DoesNotContain(_folder.Entries, entry => entry.Contains("partial"));
    }

    [Fact]
    public async Task A_damaged_checkpoint_is_passed_over_for_the_one_before()
    {
        var recipe = await TrainingRuns.RecipeAsync(_folder, "domain-adapter", "steps=4", "checkpoint_every=1", "keep_checkpoints=2");
        var whole = await TrainingRuns.RunAsync(new TrainingRequest(recipe) { Output = _folder["whole"] });
        Assert.Equal(["step-000003.safetensors", "step-000004.safetensors"], Directory.GetFiles(_folder["whole/checkpoints"]).Select(Path.GetFileName).Order());

        var stopped = await TrainingRuns.CancelledAsync(new TrainingRequest(recipe) { Output = _folder["stopped"] }, after: 3);
        using (var newest = new FileStream(TrainingRuns.CheckpointOf(stopped, 3), FileMode.Open))
            newest.SetLength(newest.Length / 2);
        var resumed = await TrainingRuns.RunAsync(new TrainingRequest("") { Resume = stopped });

        Assert.Contains(resumed.Messages, message => message.Contains("step-000003.safetensors") && message.Contains("checkpoint before it is used"));
        Assert.Contains(resumed.Messages, message => message.EndsWith("going on after step 2."));
        RequireSame(whole, resumed, "domain-adapter.safetensors");
    }

    [Fact]
    public async Task A_new_checkpoint_stays_where_a_later_one_is_damaged()
    {
        var recipe = await TrainingRuns.RecipeAsync(_folder, "domain-adapter", "steps=3", "checkpoint_every=1", "keep_checkpoints=2");
        await TrainingRuns.RunAsync(new TrainingRequest(recipe) { Output = _folder["run"] });
        File.WriteAllText(TrainingRuns.CheckpointOf(_folder["run"], 9), "half of a checkpoint");
        await TrainingRuns.RunAsync(new TrainingRequest("") { Resume = _folder["run"], Overrides = ["steps=4", "keep_checkpoints=1"] });
        Assert.Equal(["step-000004.safetensors"], Directory.GetFiles(_folder["run/checkpoints"]).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_run_is_not_begun_twice_and_none_is_gone_on_with_that_is_not_there()
    {
        var run = await TrainingRuns.RunAsync(_folder, "domain-adapter", "steps=1", "batch_size=1");
        var recipe = await TrainingRuns.RecipeAsync(_folder, "domain-adapter", "steps=1");
        var again = await Assert.ThrowsAsync<RequestException>(() => TrainingRuns.RunAsync(new TrainingRequest(recipe) { Output = run.Folder }));
        Assert.Contains("--resume", again.Message);
        var nothing = await Assert.ThrowsAsync<FileException>(() => TrainingRuns.RunAsync(new TrainingRequest("") { Resume = _folder["nowhere"] }));
        Assert.Contains("nowhere", nothing.Message);
        var other = await Assert.ThrowsAsync<CheckpointException>(() => TrainingRuns.RunAsync(new TrainingRequest("") { Resume = run.Folder, Overrides = ["rank=8", "steps=2"] }));
        Assert.Contains("training state", other.Message);
    }

    // One loss, far from what a resumed run averages over, must not pass for the best average.
    [Fact]
    public async Task What_a_loss_is_judged_by_is_taken_up_again()
    {
        var settings = new[] { "steps=3", "checkpoint_every=1", "batch_size=1" };
        var recipe = await TrainingRuns.RecipeAsync(_folder, "domain-adapter", settings);
        var whole = await TrainingRuns.RunAsync(new TrainingRequest(recipe) { Output = _folder["whole"] });
        var stopped = await TrainingRuns.CancelledAsync(new TrainingRequest(recipe) { Output = _folder["stopped"] }, after: 2);
        var resumed = await TrainingRuns.RunAsync(new TrainingRequest("") { Resume = stopped });
        Assert.Equal(whole.Result.FinalLoss, resumed.Result.FinalLoss);
    }

    private string[] Filled(string[] settings) =>
        [.. settings.Select(setting => setting.Replace("CLIPS", TrainingRuns.Clips).Replace("STILLS", TrainingRuns.Stills).Replace("ADAPTER", Goldens.Model("domain-adapter.ckpt")))];

    private static void RequireSame(TrainingRuns.Finished whole, TrainingRuns.Finished resumed, string file)
    {
        Assert.Equal(TrainingRuns.Numbers(whole.Folder), TrainingRuns.Numbers(resumed.Folder));
        Assert.All(TrainingRuns.Losses(whole.Folder), loss => Assert.True(loss > 0));
        Assert.Equal(File.ReadAllBytes(Path.Combine(whole.Folder, file)), File.ReadAllBytes(Path.Combine(resumed.Folder, file)));
        var steps = whole.Result.Steps;
        Assert.Empty(TrainingRuns.Changed(whole.State(steps), resumed.State(steps)));
        var config = Path.Combine(Path.GetDirectoryName(Path.Combine(whole.Folder, file))!, "config.json");
        if (File.Exists(config))
            Assert.Equal(File.ReadAllText(config), File.ReadAllText(config.Replace(whole.Folder, resumed.Folder)));
    }
}
