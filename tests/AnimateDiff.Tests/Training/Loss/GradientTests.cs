using AnimateDiff.Tests.Text;
using AnimateDiff.Training;
using AnimateDiff.Training.Dataset;
using AnimateDiff.Training.Recipes;
using Parameter = TorchSharp.Modules.Parameter;

namespace AnimateDiff.Tests.Training.Loss;

/// <summary>The gradient through the loss and the whole network against finite differences along it, in fp64: what each stage trains gets the slope of its loss.</summary>
public class GradientTests
{
    [Theory]
    [InlineData("motion-module", false)]
    [InlineData("domain-adapter", false)]
    [InlineData("motion-lora", true)]
    [InlineData("image-finetune", false)]
    public void It_is_the_slope_of_the_loss(string stage, bool recompute)
    {
        using var scope = NewDisposeScope();
        var (recipe, models) = Make(stage, recompute);
        using var owned = recipe;
        models.UNet.to(ScalarType.Float64);
        models.Text.to(ScalarType.Float64);
        var trained = recipe.Trainable.Select(entry => entry.Parameter).ToArray();
        foreach (var parameter in trained)
            parameter.requires_grad = true;
        using var generator = new Generator(3, CPU);
        Tensor Drawn(params long[] shape) => randn(shape, ScalarType.Float64, generator: generator);
        var (latents, noise) = (Drawn(1, 4, 2, 16, 16), Drawn(1, 4, 2, 16, 16));
        if (stage is "domain-adapter" or "motion-lora")
            using (no_grad())
                foreach (var parameter in trained)                                      // LoRA begins at zero, where Down has no slope
                    parameter.add_(randn(parameter.shape, generator: generator) * 0.05);
        var ids = tensor((long[])[0, 40, 100, 300, 517, 518]).unsqueeze(0);
        Tensor Loss() => recipe.LossAt(latents, models.Text.call(ids, 0, null), noise, tensor((long[])[400])).mean();

        Loss().backward();
        var gradients = trained.Select(parameter => parameter.grad?.to(ScalarType.Float64) ?? throw new InvalidOperationException("no gradient")).ToArray();
        // Along the gradient all errors add up. Each kind of tensor also gets a direction of its own, so that a small one is not lost among large ones.
        foreach (var part in Parts(recipe))
        {
            var norm = Math.Sqrt(part.Sum(i => gradients[i].square().sum().item<double>()));
            Assert.True(norm > 1e-5, $"{stage}: no slope in {recipe.Trainable.ElementAt(part[0]).Name} and its like");
            double At(double distance)
            {
                using var _ = no_grad();
                using var step = NewDisposeScope();
                foreach (var i in part)
                    trained[i].add_((gradients[i] * (distance / norm)).to(trained[i].dtype));
                return Loss().item<float>();
            }
            var reach = Math.Min(0.02, 2e-3 / norm);
            var (above, below) = (At(reach), At(-2 * reach));
            At(reach);
            Assert.Equal(norm, (above - below) / (2 * reach), 0.01 * norm);
        }
    }

    // By the last part of their module's name: q, k, v, norms, projections, …
    private static IEnumerable<int[]> Parts(DiffusionRecipe recipe)
    {
        var names = recipe.Trainable.Select(entry => entry.Name).ToArray();
        string Kind(string name) => name.StartsWith("text_encoder.", StringComparison.Ordinal) ? "text" : name.Contains("to_", StringComparison.Ordinal) ? "attention" : "other";
        int[][] kinds = [.. names.Index().GroupBy(entry => Kind(entry.Item)).Select(group => group.Select(entry => entry.Index).ToArray())];
        return kinds.Length == 1 ? kinds : [[.. Enumerable.Range(0, names.Length)], .. kinds];
    }

    private static (DiffusionRecipe, TrainingModels) Make(string stage, bool recompute)
    {
        var options = new TrainingRecipe
        {
            Stage = stage switch { "motion-module" => TrainingStage.MotionModule, "motion-lora" => TrainingStage.MotionLora, "domain-adapter" => TrainingStage.DomainAdapter, _ => TrainingStage.ImageFinetune },
            Base = Goldens.Model("nano-sd15"),
            Motion = stage.StartsWith("motion", StringComparison.Ordinal) ? ReferenceModels.OfficialMotion("v2") : null,
            Rank = stage is "motion-module" or "image-finetune" ? null : 4,
            TrainTextEncoder = stage == "image-finetune",
            Recompute = recompute,
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
