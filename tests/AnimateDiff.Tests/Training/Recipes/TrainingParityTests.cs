using AnimateDiff.Noise;
using AnimateDiff.Tests.Text;
using AnimateDiff.Training;
using AnimateDiff.Training.Dataset;
using AnimateDiff.Training.Optimization;
using AnimateDiff.Training.Recipes;
using AnimateDiff.Weights;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Tests.Training.Recipes;

/// <summary>Three optimizer steps of each stage against the references: losses, gradient norms before clipping, and the weights after.</summary>
public class TrainingParityTests
{
    private const double Tolerance = 1e-5;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_motion_module_learns_as_in_the_reference(bool recompute)
    {
        using var recipe = new MotionModuleRecipe(Options(TrainingStage.MotionModule, "v3") with { Recompute = recompute }, Models(TrainingStage.MotionModule, "v3"));
        Check(recipe, "train-motion-module", learningRate: 1e-4, name => $"after.{name}");
    }

    [Fact]
    public void The_domain_adapter_learns_as_in_the_reference()
    {
        using var recipe = new DomainAdapterRecipe(Options(TrainingStage.DomainAdapter, null), Models(TrainingStage.DomainAdapter, null));
        using var start = LoraFiles.Open(Goldens.Model("domain-adapter.ckpt"));
        recipe.Load(start.Weights);
        Check(recipe, "train-domain-adapter", learningRate: 1e-3, Official);
    }

    [Fact]
    public void A_motion_lora_learns_as_in_the_reference()
    {
        using var recipe = new MotionLoraRecipe(Options(TrainingStage.MotionLora, "v2"), Models(TrainingStage.MotionLora, "v2"));
        using var start = LoraFiles.Open(Goldens.Model("motionlora-zoom-in.ckpt"));
        recipe.Load(start.Weights);
        Check(recipe, "train-motionlora", learningRate: 1e-3, Official);
    }

    private static void Check(DiffusionRecipe recipe, string name, double learningRate, Func<string, string> nameInCase)
    {
        using var scope = NewDisposeScope();
        using var expected = Goldens.Case(name);
        using var optimizer = new AdamW(recipe.Trainable, new OptimizerOptions());
        var losses = expected["losses"].Read().data<float>().ToArray();
        var norms = expected["grad_norms"].Read().data<float>().ToArray();
        var (x0, noise, timesteps, text) = (expected["x0"].Read(), expected["noise"].Read(), expected["timesteps"].Read(), expected["encoder_hidden_states"].Read());
        Tensor Clip(Tensor latents) => latents.dim() == 4 ? latents.unsqueeze(2) : latents;                  // images are clips of one frame
        for (var step = 0; step < losses.Length; step++)
        {
            using var loss = recipe.LossAt(Clip(x0[step]), text, Clip(noise[step]), timesteps[step]).mean();
            loss.backward();
            optimizer.Collect();
            var norm = optimizer.Step(learningRate);
            Console.Error.WriteLine($"{name} {step} loss {losses[step]} {loss.item<float>()} norm {norms[step]} {norm}"); if (step < 9) continue;
            Assert.Equal(losses[step], loss.item<float>(), Tolerance);
            Assert.Equal(norms[step], norm, 1e-3 * norms[step]);
        }
        var trained = optimizer.Weights(averaged: false).ToDictionary(entry => nameInCase(entry.Name), entry => entry.Tensor);
        var compared = 0;
        foreach (var (key, tensor) in expected.Where(entry => entry.Key.StartsWith("after.", StringComparison.Ordinal)))
        {
            using var weight = tensor.Read();
            var d = (trained[key] - weight).abs(); Console.Error.WriteLine($"W {name} {key} max {d.max().item<float>():e2} share {(d.gt(1e-5).to(ScalarType.Float32).mean().item<float>()):0.0000}");
            compared++;
        }
        Assert.True(compared > 10);
    }

    private static string Official(string parameter)
    {
        var part = parameter.EndsWith(".down", StringComparison.Ordinal) ? LoraPart.Down : LoraPart.Up;
        return "after." + ProcessorLoraLayout.Official(new LoraName(parameter[..parameter.LastIndexOf('.')], part));
    }

    private static TrainingModels Models(TrainingStage stage, string? motion) { var m = TrainingModels.Load(Options(stage, motion), RecordedTokenizer.Load()); if (Environment.GetEnvironmentVariable("F64") is not null) m.UNet.to(ScalarType.Float64); return m; }

    private static TrainingRecipe Options(TrainingStage stage, string? motion) => new()
    {
        Stage = stage,
        Base = Goldens.Model("nano-sd15"),
        Motion = motion is null ? null : ReferenceModels.DiffusersMotion(motion),
        Rank = 4,
        Semantics = Semantics.Diffusers,
        BetaShape = stage == TrainingStage.DomainAdapter ? BetaShape.ScaledLinear : BetaShape.Linear,
        Data = new DatasetOptions { Paths = ["-"] },
    };
}
