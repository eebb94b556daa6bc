using System.Text.Json.Nodes;
using AnimateDiff.Training;
using AnimateDiff.Video;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Training;

/// <summary>One-shot tuning from the recipe to the clip.</summary>
public sealed class TuneAVideoTrainingTests : IDisposable
{
    private static readonly string Base = Goldens.Model("nano-sd15");

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_tuned_model_is_told_for_what_it_is_and_moves_by_itself()
    {
        var run = await TrainingRuns.RunAsync(new TrainingRequest(await RecipeAsync()) { Output = _folder["run"] });
        var model = Assert.Single(run.Result.Files);
        Assert.Equal(_folder["run/tune-a-video"], model);
        var kind = CheckpointInspector.Inspect(model).Kind;
        Assert.Equal((CheckpointKind.TuneAVideo, CheckpointLayout.Diffusers), (kind.Kind, kind.Layout));
        Assert.StartsWith("A Tune-A-Video model", kind.Sentence);
        Assert.Equal("UNet3DConditionModel", JsonNode.Parse(File.ReadAllText(Path.Combine(model, "unet/config.json")))!["_class_name"]!.GetValue<string>());
        Assert.Equal("TuneAVideoPipeline", JsonNode.Parse(File.ReadAllText(Path.Combine(model, "model_index.json")))!["_class_name"]!.GetValue<string>());

        // the frozen weights to the bit, the trained ones changed
        var before = TrainingRuns.Values(Path.Combine(Base, "unet/diffusion_pytorch_model.safetensors"));
        var after = TrainingRuns.Values(Path.Combine(model, "unet/diffusion_pytorch_model.safetensors"));
        var changed = TrainingRuns.Changed(before, after.Where(entry => before.ContainsKey(entry.Key)).ToDictionary());
        Assert.NotEmpty(changed);
        Assert.All(changed, name => Assert.Matches(@"\.attn[12]\.to_q\.weight$", name));
        Assert.All(after.Keys.Except(before.Keys), name => Assert.Matches(@"\.(attn|norm)_temp\.", name));
        Assert.Contains(after, entry => entry.Key.EndsWith("attn_temp.to_out.0.weight", StringComparison.Ordinal) && entry.Value.Any(value => value != 0));

        var options = new PipelineOptions { Base = model, Tokenizer = TrainingRuns.Tokenizer };
        var request = new GenerationRequest("a cat") { Frames = 3, Width = 32, Height = 32, Steps = 2, Seed = 1 };
        Generated made;
        using (var pipeline = await AnimateDiffPipeline.LoadAsync(options))
        {
            var live = await pipeline.LiveTensorsAsync();
            made = await pipeline.GenerateAsync(request);
            Assert.Equal(live, await pipeline.LiveTensorsAsync());
            Assert.Equal(3, made.Videos[0].Frames);
            Assert.Equal("scaled_linear", made.Recipe.SchedulerOptions["beta_schedule"]);
            Assert.Equal(made.Videos[0].Pixels.ToArray(), (await pipeline.GenerateAsync(made.Recipe.ToRequest())).Videos[0].Pixels.ToArray());
            var alone = await pipeline.GenerateAsync(request with { Frames = 1 });
            Assert.NotEqual(made.Videos[0].Pixels[..alone.Videos[0].Pixels.Length].ToArray(), alone.Videos[0].Pixels.ToArray());
            Assert.Contains("context windows", (await Assert.ThrowsAsync<RequestException>(() => pipeline.GenerateAsync(request with { FreeNoise = new FreeNoise(2, 1) }))).Message);
        }
        using (var pipeline = await AnimateDiffPipeline.LoadAsync(options with { Memory = MemoryUse.Low, PieceSize = 500 }))
        {
            var low = (await pipeline.GenerateAsync(request)).Videos[0].Pixels.ToArray();
            Assert.All(low.Zip(made.Videos[0].Pixels.ToArray()), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, 1));
        }
        var refused = await Assert.ThrowsAsync<FileException>(() => AnimateDiffPipeline.LoadAsync(options with { Motion = ReferenceModels.OfficialMotion("v3") }));
        Assert.Contains("leave out --motion", refused.Message);
        Assert.Contains("as --base", Assert.Throws<FileException>(() => MotionFiles.Open(Path.Combine(model, "unet"))).Message);

        // it can be tuned further, and nothing else is trained on it
        var again = await TrainingRuns.RunAsync(new TrainingRequest(await RecipeAsync($"base={model}", "steps=1")) { Output = _folder["again"] });
        Assert.NotEmpty(TrainingRuns.Changed(after, TrainingRuns.Values(Path.Combine(again.Result.Files[0], "unet/diffusion_pytorch_model.safetensors"))));
        Assert.Contains("tune-a-video", (await Assert.ThrowsAsync<RequestException>(() => TrainingRuns.RunAsync(_folder, "motion-module", $"base={model}"))).Message);
    }

    [Fact]
    public async Task A_run_that_was_stopped_goes_on_as_if_it_had_not_been()
    {
        var whole = await TrainingRuns.RunAsync(new TrainingRequest(await RecipeAsync("steps=3")) { Output = _folder["whole"] });
        var stopped = await TrainingRuns.CancelledAsync(new TrainingRequest(await RecipeAsync("steps=3")) { Output = _folder["stopped"] }, after: 1);
        var resumed = await TrainingRuns.RunAsync(new TrainingRequest("") { Resume = stopped });
        Assert.Empty(TrainingRuns.Changed(Weights(whole), Weights(resumed)));

        static Dictionary<string, float[]> Weights(TrainingRuns.Finished run) => TrainingRuns.Values(Path.Combine(run.Result.Files[0], "unet/diffusion_pytorch_model.safetensors"));
    }

    [Fact]
    public async Task What_the_video_or_its_words_lack_is_said()
    {
        async Task<string> Refusal<T>(params string[] settings) where T : Exception =>
            (await Assert.ThrowsAsync<T>(async () => await TrainingRuns.RunAsync(new TrainingRequest(await RecipeAsync(settings)) { Output = _folder[$"{Guid.NewGuid():N}"] }))).Message;

        Assert.Contains("video: missing", await Refusal<RequestException>("video=null"));
        Assert.Contains("prompt: missing", await Refusal<RequestException>("prompt=null"));
        Assert.Contains("does not exist", await Refusal<FileException>("video=nowhere.mp4"));
        Assert.Contains("unknown key path", await Refusal<RequestException>("data.path=clips/"));
        Assert.Contains("at least 2 frames", await Refusal<RequestException>("data.frames=1"));
        Assert.Contains("6 frames, but samples have 7", await Refusal<FileException>("data.frames=7"));
        Assert.Contains("6 frames, but samples have 4 from frame 3 on", await Refusal<FileException>("data.start=3"));
        await VideoWriter.WriteAsync(_folder["still.webp"], TrainingRuns.Moving(1, 1), 8, "{}", cancellationToken: CancellationToken.None);
        Assert.Contains("has one frame", await Refusal<FileException>($"video={_folder["still.webp"]}"));
        Assert.Contains("only motion-module", await Refusal<RequestException>("domain_adapter=x.safetensors"));
    }

    [Fact]
    public async Task What_the_recipe_leaves_out_is_the_originals()
    {
        var recipe = TrainingRecipe.Read(RecipeText.Load(_folder.Write("short.yaml", "stage: tune-a-video\nbase: b\nvideo: v.mp4\nprompt: a man\ndata: {frames: 24}"), []));
        Assert.Equal((500, 1, 3e-5, 0.0, "ScaledLinear"), (recipe.Steps, recipe.BatchSize, recipe.LearningRate, recipe.CaptionDropout, recipe.BetaShape.ToString()));
        Assert.Equal(["v.mp4"], recipe.Data.Paths);
        Assert.Equal("a man", recipe.Data.Caption);

        // the words beside the video, where the recipe has none
        Assert.Null(TrainingRecipe.Read(RecipeText.Load(await RecipeAsync($"video={Path.Combine(TrainingRuns.Clips, "0.webp")}", "prompt=null"), [])).Data.Caption);
    }

    // Two steps on a clip of six frames without words beside it.
    private async Task<string> RecipeAsync(params string[] settings)
    {
        var clip = _folder["clip.webp"];
        if (!File.Exists(clip))
            await VideoWriter.WriteAsync(clip, TrainingRuns.Moving(6, 2), 8, "{}", cancellationToken: CancellationToken.None);
        return await TrainingRuns.RecipeAsync(_folder, "tune-a-video", ["steps=2", "batch_size=1", "data.start=0", $"video={clip}", "prompt=a dog runs", .. settings]);
    }
}
