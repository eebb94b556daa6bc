using AnimateDiff.Control;
using AnimateDiff.Tests.Text;
using AnimateDiff.Training;
using AnimateDiff.Training.Dataset;
using AnimateDiff.Training.Recipes;
using AnimateDiff.Video;
using AnimateDiff.Weights;
using AdamW = AnimateDiff.Training.Optimization.AdamW;
using OptimizerOptions = AnimateDiff.Training.Optimization.OptimizerOptions;

namespace AnimateDiff.Tests.Training;

/// <summary>The stages that train control networks: where they start, what they change, what they are shown, and what they leave.</summary>
public sealed class ControlTrainingTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // The gradients of the condition's first layers pass two sets of zeros, so that they come with the third step.
    [Theory]
    [InlineData("controlnet", "canny")]
    [InlineData("sparsectrl", "rgb")]
    [InlineData("sparsectrl", "scribble")]
    public void It_starts_as_the_base_and_then_learns_alone_and_whole(string stage, string condition)
    {
        using var scope = NewDisposeScope();
        using var recipe = Make(stage, condition, out var models);
        using var optimizer = new AdamW(recipe.Trainable, new OptimizerOptions());
        TrainingSample Sample(int position)
        {
            var frames = TrainingRuns.Moving(stage == "controlnet" ? 1 : 2, 3, 128, 64);
            return new TrainingSample(0, "", frames, SampleDraw.Of(1, position)) { Followed = frames };
        }
        Dictionary<string, Tensor> Frozen() => models.UNet.state_dict().Concat(models.Vae.state_dict()).Concat(models.Text.state_dict()).Select((entry, i) => (Name: $"{i} {entry.Key}", entry.Value))
            .ToDictionary(entry => entry.Name, entry => entry.Value.clone());
        var (before, start) = (Frozen(), recipe.Trainable.ToDictionary(entry => entry.Name, entry => entry.Parameter.clone()));

        using var plain = new ImageFinetuneRecipe(Options(stage, condition), TrainingModels.Load(Options(stage, condition), RecordedTokenizer.Load()));
        for (var step = 0; step < 3; step++)
        {
            using var loss = recipe.Loss([Sample(step)]);
            if (step == 0)
                Assert.Equal(plain.Loss([Sample(0)]).item<float>(), loss.item<float>());
            loss.backward();
            optimizer.Collect();
            optimizer.Step(1e-3);
        }
        Assert.DoesNotContain(Frozen(), entry => !before[entry.Key].Equals(entry.Value));
        Assert.DoesNotContain(models.UNet.named_parameters(), entry => entry.parameter.requires_grad);
        Assert.All(recipe.Trainable, entry => Assert.False(start[entry.Name].Equals(entry.Parameter.detach()), $"{entry.Name} stayed as it was"));
        Assert.Equal(recipe.Encoder.named_parameters().Count() - (stage == "sparsectrl" ? 1 : 0), recipe.Trainable.Count());
    }

    [Fact]
    public void The_motion_layers_begin_as_the_motion_modules()
    {
        using var recipe = Make("sparsectrl", "rgb", out var models);
        var (own, from) = (recipe.Encoder.state_dict(), models.UNet.state_dict());
        var copied = own.Keys.Where(name => name.Contains("motion_modules.", StringComparison.Ordinal)).ToArray();
        Assert.Contains(copied, name => name.EndsWith("attn1.to_q.weight", StringComparison.Ordinal));
        Assert.All(copied, name => Assert.True(own[name].Equals(from[name]), name));
        Assert.DoesNotContain(own.Keys, name => name.Contains("attn2.to_q", StringComparison.Ordinal) && name.Contains("motion", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_number_and_choice_of_given_frames_comes_about()
    {
        int[][] drawn = [.. Enumerable.Range(0, 4000).Select(position => SparseControlRecipe.Given(SampleDraw.Of(3, position), 4, most: null))];
        Assert.All(drawn, given => Assert.Equal(given.Distinct().Order(), given));
        foreach (var count in drawn.GroupBy(given => given.Length))
            Assert.InRange(count.Count(), 850, 1150);                                                        // of 1000, whose deviation is 27
        Assert.Equal(15, drawn.Select(given => string.Join(' ', given)).Distinct().Count());
        Assert.All(Enumerable.Range(0, 100), position => Assert.InRange(SparseControlRecipe.Given(SampleDraw.Of(3, position), 4, most: 2).Length, 1, 2));
        Assert.Equal(drawn[7], SparseControlRecipe.Given(SampleDraw.Of(3, 7), 4, most: 4));
    }

    [Theory]
    [InlineData("controlnet", "condition=canny")]
    [InlineData("sparsectrl", "condition=rgb")]
    [InlineData("sparsectrl", "condition=scribble")]
    [InlineData("sparsectrl", "condition=rgb", "precision=bf16", "data.width=128", "data.height=128")]          // smaller, a norm has but two values
    public async Task What_is_written_steers_a_clip(string stage, params string[] settings)
    {
        var run = await TrainAsync(stage, [.. settings, .. Held]);
        var folder = Assert.Single(run.Result.Files);
        Assert.Equal(_folder[$"run/{stage}"], folder);
        Assert.Equal(stage == "controlnet" ? CheckpointKind.ControlNet : CheckpointKind.SparseControlNet, CheckpointInspector.Inspect(folder).Kind.Kind);
        Assert.Equal(["config.json", "diffusion_pytorch_model.safetensors"], Directory.GetFiles(folder).Select(Path.GetFileName).Order());
        Assert.Equal(stage == "controlnet" ? ["step-000000-00-condition.png", "step-000000-00.png", "step-000003-00-condition.png", "step-000003-00.png"]
            : ["step-000000-00-condition.gif", "step-000000-00-condition.png", "step-000000-00.gif", "step-000000-00.png",
               "step-000003-00-condition.gif", "step-000003-00-condition.png", "step-000003-00.gif", "step-000003-00.png"],
            Directory.GetFiles(_folder["run/validation"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));

        var options = new PipelineOptions { Base = Goldens.Model("nano-sd15"), Motion = ReferenceModels.OfficialMotion("v3"), Tokenizer = TrainingRuns.Tokenizer };
        using var pipeline = await AnimateDiffPipeline.LoadAsync(options, cancellationToken: TestContext.Current.CancellationToken);
        var picture = Path.Combine(TrainingRuns.Stills, "0.webp");
        var request = new GenerationRequest("a dog") { Frames = 3, Width = 32, Height = 32, Steps = 2 };
        var steered = stage == "controlnet" ? request with { Controls = [new ControlNetInput(folder, picture)] } : request with { Sparse = new SparseControl(folder, [new SparseImage(0, picture)]) };
        async Task<byte[]> PixelsAsync(GenerationRequest own) => (await pipeline.GenerateAsync(own, cancellationToken: TestContext.Current.CancellationToken)).Videos[0].Pixels.ToArray();
        Assert.NotEqual(await PixelsAsync(request), await PixelsAsync(steered));

        var further = await TrainingRuns.RunAsync(_folder, stage, [.. Steps, .. settings, .. MotionOf(stage), $"control={folder}"]);
        Assert.Equal(File.ReadAllText(Path.Combine(folder, "config.json")), File.ReadAllText(Path.Combine(further.Result.Files[0], "config.json")));
    }

    [Theory]
    [InlineData("controlnet", "condition=lineart", "ema_decay=0.5")]
    [InlineData("sparsectrl", "condition=rgb", "data.flip=true")]
    [InlineData("sparsectrl", "condition=softedge", "cache=CACHE", "max_condition_frames=2")]
    public async Task A_cancelled_run_goes_on_bit_for_bit(string stage, params string[] settings)
    {
        var recipe = await TrainingRuns.RecipeAsync(_folder, stage,
            ["batch_size=1", "steps=4", "checkpoint_every=3", .. MotionOf(stage), .. settings.Select(setting => setting.Replace("CACHE", _folder["cache"]))]);
        var whole = await TrainingRuns.RunAsync(new TrainingRequest(recipe) { Output = _folder["whole"] });
        var stopped = await TrainingRuns.CancelledAsync(new TrainingRequest(recipe) { Output = _folder["stopped"] }, after: 2);
        var resumed = await TrainingRuns.RunAsync(new TrainingRequest("") { Resume = stopped });
        Assert.Equal(TrainingRuns.Numbers(whole.Folder), TrainingRuns.Numbers(resumed.Folder));
        Assert.Empty(TrainingRuns.Changed(whole.State(4), resumed.State(4)));
        Assert.Equal(whole.Weights($"{stage}/diffusion_pytorch_model.safetensors"), resumed.Weights($"{stage}/diffusion_pytorch_model.safetensors"));
    }

    [Fact]
    public async Task A_cache_changes_nothing_that_is_shown()
    {
        string[] settings = ["batch_size=1", "steps=2", "condition=scribble", .. MotionOf("sparsectrl")];
        var plain = await TrainingRuns.RunAsync(_folder, "sparsectrl", settings);
        var cached = await TrainingRuns.RunAsync(_folder, "sparsectrl", [.. settings, $"cache={_folder["cache"]}"]);
        foreach (var (own, other) in TrainingRuns.Losses(plain.Folder).Zip(TrainingRuns.Losses(cached.Folder)))
            Assert.Equal(own, other, 1e-5);
    }

    [Fact]
    public async Task Pictures_beside_the_data_are_followed_at_the_same_frames()
    {
        _ = await TrainingRuns.RecipeAsync(_folder, "controlnet");
        foreach (var clip in Directory.GetFiles(TrainingRuns.Clips, "*.webp"))
            _folder.Write($"beside/{Path.GetFileName(clip)}", File.ReadAllBytes(clip));
        var set = await TrainingSet.OpenAsync(new DatasetOptions { Paths = [TrainingRuns.Clips], Conditions = _folder["beside"], Frames = 2, Stride = 2, Width = 32, Height = 32, Flip = true },
            TestContext.Current.CancellationToken);
        for (var position = 0; position < 6; position++)
        {
            var draw = SampleDraw.Of(5, position);
            var frames = await set.ReadAsync(position % 3, draw, TestContext.Current.CancellationToken);
            Assert.Equal(frames.Pixels.ToArray(), (await set.ReadConditionAsync(position % 3, draw, TestContext.Current.CancellationToken))!.Pixels.ToArray());
        }
        var trained = await TrainAsync("controlnet", $"data.conditions={_folder["beside"]}", $"data.path={TrainingRuns.Clips}");
        Assert.Equal(3, trained.Result.Steps);

        File.Delete(_folder["beside/1.webp"]);
        var missing = await Assert.ThrowsAsync<FileException>(() => set.ReadConditionAsync(1, SampleDraw.Of(5, 0), TestContext.Current.CancellationToken));
        Assert.Contains("no picture for 1.webp", missing.Message);
    }

    [Theory]
    [InlineData("controlnet", "condition: missing")]
    [InlineData("controlnet", "expected canny, scribble", "condition=rgb")]
    [InlineData("controlnet", "leave out one of the two", "condition=canny", "data.conditions=x")]
    [InlineData("controlnet", "motion: not used", "condition=canny", "motion=m")]
    [InlineData("controlnet", "some of the frames", "condition=canny", "max_condition_frames=2")]
    [InlineData("controlnet", "prompts need validation.data", "condition=canny", "validation.prompts=[a]")]
    [InlineData("sparsectrl", "motion: missing", "motion=null")]
    [InlineData("sparsectrl", "5 of samples of 4 frames", "motion=m", "max_condition_frames=5")]
    [InlineData("motion-module", "condition: only controlnet", "condition=canny")]
    [InlineData("image-finetune", "control: only controlnet", "control=c")]
    [InlineData("image-finetune", "conditions: only controlnet", "data.conditions=c")]
    public async Task What_does_not_go_together_is_refused(string stage, string message, params string[] settings)
    {
        var path = await TrainingRuns.RecipeAsync(_folder, stage, settings);
        Assert.Contains(message, Assert.Throws<RequestException>(() => TrainingRecipe.Read(RecipeText.Load(path, []))).Message);
    }

    [Theory]
    [InlineData("controlnet", "sparsectrl-rgb", "SparseCtrl", "condition=canny")]
    [InlineData("sparsectrl", "sparsectrl-rgb", "follows the frames themselves", "condition=scribble")]
    [InlineData("sparsectrl", "sparsectrl-scribble", "condition is rgb", "condition=rgb")]
    public async Task A_checkpoint_of_something_else_is_refused(string stage, string model, string message, string setting)
    {
        var refused = await Assert.ThrowsAsync<FileException>(() => TrainingRuns.RunAsync(_folder, stage, [.. MotionOf(stage), setting, "steps=1", $"control={Goldens.Model(model)}"]));
        Assert.Contains(message, refused.Message);
    }

    private static readonly string[] Steps = ["steps=3", "batch_size=1", "learning_rate=0.02"];

    private static string[] Held =>
        ["validation.every=3", "validation.samples=1", "validation.buckets=1", "validation.steps=2", "validation.prompts=[a dog]", $"validation.data={{path: {TrainingRuns.Clips}, frames: 4, stride: 1, width: 32, height: 32}}"];

    private static string[] MotionOf(string stage) => stage == "sparsectrl" ? [$"motion={ReferenceModels.OfficialMotion("v3")}"] : [];

    private async Task<TrainingRuns.Finished> TrainAsync(string stage, params string[] settings) =>
        await TrainingRuns.RunAsync(new TrainingRequest(await TrainingRuns.RecipeAsync(_folder, stage, [.. Steps, .. MotionOf(stage), .. settings])) { Output = _folder["run"] });

    private static TrainingRecipe Options(string stage, string condition) => new()
    {
        Stage = stage == "controlnet" ? TrainingStage.Controlnet : TrainingStage.Sparsectrl,
        Base = Goldens.Model("nano-sd15"),
        Motion = stage == "sparsectrl" ? ReferenceModels.OfficialMotion("v3") : null,
        Condition = Enum.Parse<ControlCondition>(condition, ignoreCase: true),
        Data = new DatasetOptions { Paths = ["-"] },
    };

    private static ControlRecipe Make(string stage, string condition, out TrainingModels models)
    {
        var options = Options(stage, condition);
        models = TrainingModels.Load(options, RecordedTokenizer.Load());
        return stage == "controlnet" ? new ControlNetRecipe(options, models) : new SparseControlRecipe(options, models);
    }
}
