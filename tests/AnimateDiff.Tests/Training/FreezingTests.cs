using AnimateDiff.Denoising;
using AnimateDiff.Tests.Text;
using AnimateDiff.Training;
using AnimateDiff.Training.Dataset;
using AnimateDiff.Training.Optimization;
using AnimateDiff.Training.Recipes;
using TorchSharp.Modules;
using AdamW = AnimateDiff.Training.Optimization.AdamW;
using OptimizerOptions = AnimateDiff.Training.Optimization.OptimizerOptions;

namespace AnimateDiff.Tests.Training;

/// <summary>A step of each stage changes what the stage trains, all of it, and keeps every bit of the rest.</summary>
public class FreezingTests
{
    [Theory]
    [InlineData("motion-module", "down_blocks.0.motion_modules.0.")]
    [InlineData("domain-adapter", "")]
    [InlineData("motion-lora", "")]
    [InlineData("image-finetune", "")]
    [InlineData("image-finetune with text", "")]
    public void Only_what_is_trained_changes(string stage, string among)
    {
        using var scope = NewDisposeScope();
        var (recipe, models) = Make(stage);
        using var owned = recipe;
        using var optimizer = new AdamW(recipe.Trainable, new OptimizerOptions());
        Dictionary<string, Tensor> State() => Parts(models).SelectMany(part => part.Module.state_dict().Select(entry => (Name: $"{part.Name}.{entry.Key}", entry.Value)))
            .ToDictionary(entry => entry.Name, entry => entry.Value.clone());
        var (before, start) = (State(), recipe.Trainable.ToDictionary(entry => entry.Name, entry => entry.Parameter.clone()));
        // Two steps, for the first moves one of a LoRA's two matrices. The picture is wide, for queries and keys of a single token get no gradient.
        foreach (var position in new[] { 0, 1 })
        {
            using var loss = recipe.Loss([new TrainingSample(0, "", TrainingRuns.Moving(2, 3, 128, 64), SampleDraw.Of(1, position))]);
            loss.backward();
            optimizer.Collect();
            optimizer.Step(1e-3);
        }
        var after = State();
        string[] expected = stage switch
        {
            "motion-module" => [.. before.Keys.Where(name => name.Contains("motion_modules.", StringComparison.Ordinal) && !name.EndsWith(".pe", StringComparison.Ordinal))],
            "image-finetune" => [.. before.Keys.Where(name => name.StartsWith("unet.", StringComparison.Ordinal))],
            "image-finetune with text" => [.. before.Keys.Where(name => !name.StartsWith("vae.", StringComparison.Ordinal))],
            _ => [],
        };
        Assert.Equal(expected.Order(), before.Keys.Where(name => !before[name].Equals(after[name])).Order());
        Assert.All(recipe.Trainable, entry => Assert.False(start[entry.Name].Equals(entry.Parameter.detach()), $"{entry.Name} stayed as it was"));
        Assert.True(among == "" || recipe.Trainable.Any(entry => entry.Name.StartsWith(among, StringComparison.Ordinal)));
        var wanting = Parts(models).SelectMany(part => part.Module.named_parameters()).Count(entry => entry.parameter.requires_grad);
        Assert.Equal(expected.Length, wanting);
    }

    [Fact]
    public void Before_the_first_motion_module_nothing_is_kept_for_gradients()
    {
        using var scope = NewDisposeScope();
        var (recipe, models) = Make("motion-module");
        using var owned = recipe;
        using var optimizer = new AdamW(recipe.Trainable, new OptimizerOptions());
        var kept = new Dictionary<string, bool>();
        foreach (var (name, module) in models.UNet.named_modules())
        {
            if (module is Linear linear)
                linear.register_forward_hook((_, _, output) => { kept[name] = output.requires_grad; return output; });
            if (module is Conv2d conv)
                conv.register_forward_hook((_, _, output) => { kept[name] = output.requires_grad; return output; });
        }
        using var loss = recipe.Loss([new TrainingSample(0, "", TrainingRuns.Moving(2, 3, 32, 32), SampleDraw.Of(1, 0))]);
        string[] early = ["conv_in", "time_embedding.", "down_blocks.0.resnets.0.", "down_blocks.0.attentions.0."];
        bool Early(string name) => early.Any(part => name.StartsWith(part, StringComparison.Ordinal));
        bool Beside(string name) => name.EndsWith("time_emb_proj", StringComparison.Ordinal) || (name.Contains(".attn2.to_", StringComparison.Ordinal) && !name.Contains("to_q") && !name.Contains("to_out"));
        Assert.True(kept.Keys.Count(Early) > 10);
        Assert.All(kept.Where(entry => Early(entry.Key) || (!UNetMotionModel.IsMotion(entry.Key) && Beside(entry.Key))), entry => Assert.False(entry.Value, entry.Key));
        Assert.All(kept.Where(entry => !Early(entry.Key) && !Beside(entry.Key)), entry => Assert.True(entry.Value, entry.Key));
    }

    private static IEnumerable<(string Name, nn.Module Module)> Parts(TrainingModels models) => [("unet", models.UNet), ("vae", models.Vae), ("text_encoder", models.Text)];

    private static (DiffusionRecipe, TrainingModels) Make(string stage)
    {
        var options = new TrainingRecipe
        {
            Stage = stage switch { "motion-module" => TrainingStage.MotionModule, "motion-lora" => TrainingStage.MotionLora, "domain-adapter" => TrainingStage.DomainAdapter, _ => TrainingStage.ImageFinetune },
            Base = Goldens.Model("nano-sd15"),
            Motion = stage.StartsWith("motion", StringComparison.Ordinal) ? ReferenceModels.OfficialMotion("v3") : null,
            Rank = stage is "domain-adapter" or "motion-lora" ? 4 : null,
            TrainTextEncoder = stage == "image-finetune with text",
            Data = new DatasetOptions { Paths = ["-"] },
        };
        var models = TrainingModels.Load(options, RecordedTokenizer.Load());
        return (options.Stage switch
        {
            TrainingStage.MotionModule => new MotionModuleRecipe(options, models),
            TrainingStage.MotionLora => new MotionLoraRecipe(options, models),
            TrainingStage.DomainAdapter => new DomainAdapterRecipe(options, models),
            _ => new ImageFinetuneRecipe(options, models),
        }, models);
    }
}
