using AnimateDiff.Denoising;
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
/// <remarks>
/// The references have 8×8 latents, so the innermost images are 1×1 and a group of a norm is two nearly equal values: its gradient is a difference of large numbers, and
/// AdamW's first step turns even the smallest gradient into a full step of its sign. The first loss does not suffer from it and is held to 1e-5. For the rest the
/// measure is what the references' own rounding is: their distance from our network in fp64.
/// </remarks>
public class TrainingParityTests
{
    private const double Tolerance = 1e-5;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_motion_module_learns_as_in_the_reference(bool recompute) => Check("train-motion-module", 1e-4, name => $"after.{name}", dtype =>
        new MotionModuleRecipe(Options(TrainingStage.MotionModule, "v3") with { Recompute = recompute }, Models(TrainingStage.MotionModule, "v3", dtype)));

    [Fact]
    public void The_domain_adapter_learns_as_in_the_reference() => Check("train-domain-adapter", 1e-3, Official, dtype =>
    {
        var recipe = new DomainAdapterRecipe(Options(TrainingStage.DomainAdapter, null), Models(TrainingStage.DomainAdapter, null, dtype));
        using var start = LoraFiles.Open(Goldens.Model("domain-adapter.ckpt"));
        recipe.Load(start.Weights);
        return recipe;
    });

    [Fact]
    public void A_motion_lora_learns_as_in_the_reference() => Check("train-motionlora", 1e-3, Official, dtype =>
    {
        var recipe = new MotionLoraRecipe(Options(TrainingStage.MotionLora, "v2"), Models(TrainingStage.MotionLora, "v2", dtype));
        using var start = LoraFiles.Open(Goldens.Model("motionlora-zoom-in.ckpt"));
        recipe.Load(start.Weights);
        return recipe;
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_ControlNet_learns_as_in_the_reference(bool recompute) => Check("train-controlnet", 1e-5, name => $"after.{name}", dtype =>
    {
        var options = Options(TrainingStage.Controlnet, null) with { Control = Goldens.Model("controlnet"), Condition = ControlCondition.Canny, Recompute = recompute };
        return Exact(dtype, new ControlNetRecipe(options, Models(options, dtype)));
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_SparseCtrl_encoder_learns_as_in_the_reference(bool recompute) => Check("train-sparsectrl", 1e-5, name => $"after.{name}", dtype =>
    {
        var options = Options(TrainingStage.Sparsectrl, "v3") with { Control = Goldens.Model("sparsectrl-rgb"), Condition = ControlCondition.Rgb, Recompute = recompute };
        return Exact(dtype, new SparseControlRecipe(options, Models(options, dtype)));
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Tune_a_video_learns_as_in_the_original(bool recompute) => Check("train-tune-a-video", 3e-5, name => $"after.{name}", dtype =>
    {
        var models = Models(Options(TrainingStage.TuneAVideo, null), dtype);
        using var temporal = WeightFile.Open(Goldens.Model("tune-a-video-temporal.safetensors"));
        ModuleWeights.Load(models.UNet, temporal, "temporal layers", dtype, part: UNetMotionModel.IsTemporal);
        return new TuneAVideoRecipe(Options(TrainingStage.TuneAVideo, null) with { Recompute = recompute }, models);
    });

    private static ControlRecipe Exact(ScalarType dtype, ControlRecipe recipe)
    {
        if (dtype != ScalarType.Float32)
            recipe.Encoder.to(dtype);
        return recipe;
    }

    private static ClipCondition? ConditionOf(StateDict given, int step)
    {
        if (given.TryGetValue("control", out var pictures))
            return new ClipCondition(pictures.Read()[step].unsqueeze(2));
        return given.TryGetValue("condition", out var latents) ? new ClipCondition(latents.Read()[step], given["mask"].Read()[step]) : null;
    }

    private static void Check(string name, double learningRate, Func<string, string> nameInCase, Func<ScalarType, DiffusionRecipe> make)
    {
        using var scope = NewDisposeScope();
        using var expected = Goldens.Case(name);
        var losses = expected["losses"].Read().data<float>().ToArray();
        var norms = expected["grad_norms"].Read().data<float>().ToArray();
        var ours = Train(make(ScalarType.Float32), expected, learningRate, nameInCase);
        var exact = Train(make(ScalarType.Float64), expected, learningRate, nameInCase);

        Assert.Equal(losses[0], ours.Losses[0], Tolerance);
        Assert.Equal(norms[0], ours.Norms[0], 5e-4 * norms[0]);
        for (var step = 1; step < losses.Length; step++)
            Assert.InRange(Math.Abs(ours.Losses[step] - losses[step]), 0, Math.Max(2 * Tolerance, 5 * Math.Abs(exact.Losses[step] - losses[step])));
        var (mine, theirs) = (Distance(ours), Distance(exact));
        Assert.InRange(mine, 0, Math.Max(0.03, 2 * theirs));

        // of the way that the weights went
        double Distance(Trained trained)
        {
            var (off, way) = (0.0, 0.0);
            foreach (var (key, tensor) in expected.Where(entry => entry.Key.StartsWith("after.", StringComparison.Ordinal)))
            {
                using var weight = tensor.Read();
                off += (trained.After[key] - weight).square().sum().item<float>();
                way += (trained.Before[key] - weight).square().sum().item<float>();
            }
            return Math.Sqrt(off / way);
        }
    }

    private sealed record Trained(double[] Losses, double[] Norms, IReadOnlyDictionary<string, Tensor> Before, IReadOnlyDictionary<string, Tensor> After);

    private static Trained Train(DiffusionRecipe recipe, StateDict given, double learningRate, Func<string, string> nameInCase)
    {
        using var made = recipe;
        using var optimizer = new AdamW(recipe.Trainable, new OptimizerOptions());
        var (x0, noise, timesteps, text) = (given["x0"].Read(), given["noise"].Read(), given["timesteps"].Read(), given["encoder_hidden_states"].Read());
        Tensor Clip(Tensor latents) => latents.dim() == 4 ? latents.unsqueeze(2) : latents;                  // images are clips of one frame
        Dictionary<string, Tensor> Weights() => optimizer.Weights(averaged: false).ToDictionary(entry => nameInCase(entry.Name), entry => entry.Tensor.clone());
        var before = Weights();
        var (losses, norms) = (new double[x0.shape[0]], new double[x0.shape[0]]);
        for (var step = 0; step < losses.Length; step++)
        {
            using var loss = recipe.LossAt(Clip(x0[step]), text, Clip(noise[step]), timesteps[step], ConditionOf(given, step)).mean();
            loss.backward();
            optimizer.Collect();
            (losses[step], norms[step]) = (loss.item<float>(), optimizer.Step(learningRate));
        }
        return new Trained(losses, norms, before, Weights());
    }

    private static string Official(string parameter)
    {
        var part = parameter.EndsWith(".down", StringComparison.Ordinal) ? LoraPart.Down : LoraPart.Up;
        return "after." + ProcessorLoraLayout.Official(new LoraName(parameter[..parameter.LastIndexOf('.')], part));
    }

    private static TrainingModels Models(TrainingStage stage, string? motion, ScalarType dtype) => Models(Options(stage, motion), dtype);

    private static TrainingModels Models(TrainingRecipe options, ScalarType dtype)
    {
        var models = TrainingModels.Load(options, RecordedTokenizer.Load());
        if (dtype != ScalarType.Float32)
            models.UNet.to(dtype);
        return models;
    }

    private static TrainingRecipe Options(TrainingStage stage, string? motion) => new()
    {
        Stage = stage,
        Base = Goldens.Model("nano-sd15"),
        Motion = motion is null ? null : ReferenceModels.DiffusersMotion(motion),
        Rank = 4,
        Semantics = Semantics.Diffusers,
        BetaShape = stage is TrainingStage.DomainAdapter or TrainingStage.Controlnet or TrainingStage.TuneAVideo ? BetaShape.ScaledLinear : BetaShape.Linear,
        Data = new DatasetOptions { Paths = ["-"] },
    };
}
