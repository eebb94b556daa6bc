using System.Text.Json.Nodes;
using AnimateDiff.Denoising;
using AnimateDiff.Video;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Training;

/// <summary>What a run writes goes into generation as it is, and is told for what it is.</summary>
public sealed class ExportTests : IDisposable
{
    private static readonly string Base = Goldens.Model("nano-sd15");

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("v1", MotionVersion.V1, 24)]
    [InlineData("v2", MotionVersion.V2, 32)]
    [InlineData("v3", MotionVersion.V3, 32)]
    public async Task A_motion_module_is_written_in_two_layouts_of_its_version(string version, MotionVersion expected, int frames)
    {
        var run = await TrainAsync("motion-module", $"motion_version={version}", "save_dtype=fp16");
        Assert.Equal([_folder["run/motion-module.safetensors"], _folder["run/motion-module-diffusers"]], run.Result.Files);
        foreach (var path in run.Result.Files)
        {
            var kind = CheckpointInspector.Inspect(path).Kind;
            Assert.Equal((CheckpointKind.MotionModule, expected, frames, true), (kind.Kind, kind.Motion!.Version, kind.Motion.MaxFrames, kind.Motion.HasPositionEncoding));
            Assert.Empty(kind.Warnings);
        }
        using (var official = WeightFile.Open(run.Result.Files[0]))
        {
            Assert.Contains("down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.1.pos_encoder.pe", official.Keys);
            Assert.DoesNotContain(official.Keys, name => name.StartsWith("module.", StringComparison.Ordinal));
            Assert.All(official.Values, tensor => Assert.Equal(ScalarType.Float16, tensor.DType));
        }
        var clip = await GenerateAsync(new PipelineOptions { Base = Base, Motion = run.Result.Files[0] });
        Assert.Equal(clip, await GenerateAsync(new PipelineOptions { Base = Base, Motion = run.Result.Files[1] }));
        Assert.NotEqual(clip, await GenerateAsync(new PipelineOptions { Base = Base }));
    }

    [Fact]
    public async Task A_convolutional_module_is_written_as_a_folder_that_generates()
    {
        var run = await TrainAsync("motion-module", "temporal=conv1d");
        var folder = Assert.Single(run.Result.Files);
        Assert.Equal("conv1d", CheckpointInspector.Inspect(folder).Kind.Motion!.Temporal);
        Assert.NotEqual(await GenerateAsync(new PipelineOptions { Base = Base }), await GenerateAsync(new PipelineOptions { Base = Base, Motion = folder }));
        var refused = await Assert.ThrowsAsync<RequestException>(() => TrainingRuns.RunAsync(_folder, "motion-lora", $"motion={folder}"));
        Assert.Contains("1-D convolutions", refused.Message);
    }

    [Theory]
    [InlineData("domain-adapter", CheckpointKind.DomainAdapter, AdapterRole.DomainAdapter)]
    [InlineData("motion-lora", CheckpointKind.MotionLora, AdapterRole.MotionLora)]
    [InlineData("image-finetune", CheckpointKind.Lora, AdapterRole.Lora)]
    public async Task A_LoRA_is_told_for_what_it_is_and_changes_the_clip(string stage, CheckpointKind kind, AdapterRole role)
    {
        var run = await TrainAsync(stage, "rank=4");
        var file = Assert.Single(run.Result.Files);
        var found = CheckpointInspector.Inspect(file).Kind;
        Assert.Equal(kind, found.Kind);
        Assert.Equal([4L], found.Lora!.Ranks);
        var options = new PipelineOptions { Base = Base, Motion = ReferenceModels.OfficialMotion("v2") };
        Assert.NotEqual(await GenerateAsync(options), await GenerateAsync(options, new Adapter(role, file)));
    }

    [Fact]
    public async Task A_finetuned_base_and_its_VAE_load_as_such()
    {
        var run = await TrainAsync("image-finetune", "train_text_encoder=true");
        var model = Assert.Single(run.Result.Files);
        Assert.Equal(CheckpointKind.BaseFolder, CheckpointInspector.Inspect(model).Kind.Kind);
        var options = new PipelineOptions { Base = model, Tokenizer = Path.Combine(model, "tokenizer") };       // the recipe's tokenizer, so that the folder is whole
        var plain = await GenerateAsync(new PipelineOptions { Base = Base });
        Assert.NotEqual(plain, await GenerateAsync(options));

        var vae = await TrainingRuns.RunAsync(_folder, "vae", "steps=1", "batch_size=1", "learning_rate=0.02");
        var folder = Assert.Single(vae.Result.Files);
        Assert.Equal(CheckpointKind.Vae, CheckpointInspector.Inspect(folder).Kind.Kind);
        var factor = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!["scaling_factor"]!.GetValue<double>();
        Assert.InRange(factor, 1e-3, 100);
        Assert.NotEqual(0.18215, factor);
        Assert.NotEqual(plain, await GenerateAsync(new PipelineOptions { Base = Base, Vae = folder }));
    }

    // The official names say neither heads nor groups, and until now nobody's layers differed from two.
    [Fact]
    public async Task The_official_file_of_an_unusual_shape_says_what_its_names_do_not()
    {
        foreach (var file in new[] { "unet/config.json", "text_encoder/config.json", "scheduler/scheduler_config.json" })
            _folder.Write($"shape/{file}", File.ReadAllText(Path.Combine(Base, file)));
        _folder.Write("shape/unet/config.json", File.ReadAllText(_folder["shape/unet/config.json"]).Replace("\"layers_per_block\": 2", "\"layers_per_block\": 1").Replace("\"norm_num_groups\": 32", "\"norm_num_groups\": 16"));
        var vae = $"vae={Path.Combine(Base, "vae")}";
        var made = await TrainingRuns.RunAsync(_folder, "image-finetune", $"base={_folder["shape"]}", vae, "from_scratch=true", "steps=1", "batch_size=1");
        var model = made.Result.Files[0];
        var run = await TrainAsync("motion-module", $"base={model}", "motion_heads=4");
        using (var official = MotionFiles.Open(run.Result.Files[0]))
        {
            var config = MotionConfig.Parse(official.Config, "");
            Assert.Equal((1, 4, 16), (config.MotionLayersPerBlock, config.MotionNumAttentionHeads, config.MotionNormNumGroups));
        }
        var clip = await GenerateAsync(new PipelineOptions { Base = model, Motion = run.Result.Files[0] });
        Assert.Equal(clip, await GenerateAsync(new PipelineOptions { Base = model, Motion = run.Result.Files[1] }));

        using (var official = SafetensorsFile.Open(run.Result.Files[0]))
        {
            SafetensorsWriter.Write(_folder["bare.safetensors"], official);
            SafetensorsWriter.Write(_folder["damaged.safetensors"], official, new Dictionary<string, string> { ["animatediff.config.motion"] = "{" });
        }
        using (var bare = MotionFiles.Open(_folder["bare.safetensors"]))
            Assert.Equal(1, MotionConfig.Parse(bare.Config, "").MotionLayersPerBlock);
        Assert.Throws<FileException>(() => MotionFiles.Open(_folder["damaged.safetensors"]));
    }

    // A learning rate at which one step shows in 8 bits.
    private async Task<TrainingRuns.Finished> TrainAsync(string stage, params string[] settings)
    {
        var recipe = await TrainingRuns.RecipeAsync(_folder, stage, ["steps=2", "batch_size=1", "learning_rate=0.02", .. settings]);
        return await TrainingRuns.RunAsync(new AnimateDiff.Training.TrainingRequest(recipe) { Output = _folder["run"] });
    }

    private static async Task<byte[]> GenerateAsync(PipelineOptions options, params Adapter[] adapters)
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(options with { Tokenizer = options.Tokenizer ?? TrainingRuns.Tokenizer }, cancellationToken: TestContext.Current.CancellationToken);
        var request = new GenerationRequest("a dog") { Frames = options.Motion is null ? 1 : 3, Width = 32, Height = 32, Steps = 2, Adapters = adapters };
        var frames = (await pipeline.GenerateAsync(request, cancellationToken: TestContext.Current.CancellationToken)).Videos[0];
        return frames[0].ToArray().Concat(frames.Frames > 1 ? frames[2].ToArray() : []).ToArray();
    }
}
