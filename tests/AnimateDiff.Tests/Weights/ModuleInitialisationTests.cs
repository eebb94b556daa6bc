using AnimateDiff.Denoising;
using AnimateDiff.Text;
using AnimateDiff.Vae;
using AnimateDiff.Weights;
using TorchSharp.Modules;

namespace AnimateDiff.Tests.Weights;

/// <summary>The values from which training starts.</summary>
public sealed class ModuleInitialisationTests
{
    [Fact]
    public void Every_parameter_of_every_model_gets_its_distribution()
    {
        using var unet = Small();
        using var vae = new AutoencoderKL(new VaeConfig { BlockOutChannels = [32, 64] }, META);
        using var text = new ClipTextModel(new ClipTextConfig { HiddenSize = 32, IntermediateSize = 64, NumHiddenLayers = 1, NumAttentionHeads = 2, VocabSize = 500 }, META);
        using var temporal = nn.Sequential(nn.Conv1d(16, 8, 3, device: META));
        foreach (var model in new nn.Module[] { unet, vae, text, temporal })
        {
            ModuleWeights.Initialise(model, null, seed: 3);
            foreach (var (prefix, owner) in model.named_modules())
                foreach (var (field, parameter) in owner.named_parameters(recurse: false))
                {
                    using var scope = NewDisposeScope();
                    Assert.False(parameter.is_meta || parameter.requires_grad, prefix);
                    var (low, high) = (parameter.min().item<float>(), parameter.max().item<float>());
                    if (owner is GroupNorm or LayerNorm)
                        Assert.Equal((field == "weight" ? 1 : 0, field == "weight" ? 1 : 0), (low, high));
                    else if (owner is Embedding)
                        Assert.InRange(parameter.std().item<float>(), 0.019, 0.021);
                    else
                    {
                        var weight = owner.get_parameter("weight")!;
                        var bound = (float)(1 / Math.Sqrt(weight.numel() / weight.shape[0]));
                        var filled = parameter.numel() > 100 ? 0.9f : -1;                                     // few values need not reach the bounds
                        Assert.InRange(high, filled * bound, bound);
                        Assert.InRange(low, -bound, -filled * bound);
                    }
                }
        }
    }

    [Fact]
    public void The_seed_and_the_names_decide_the_values_and_other_parts_are_left_alone()
    {
        using var one = Small();
        using var two = Small();
        using var other = Small();
        ModuleWeights.Initialise(one, UNetMotionModel.IsMotion, seed: 7);
        ModuleWeights.Initialise(two, UNetMotionModel.IsMotion, seed: 7);
        ModuleWeights.Initialise(other, UNetMotionModel.IsMotion, seed: 8);
        var (ones, twos, others) = (one.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter), two.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter), other.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter));
        foreach (var (name, parameter) in ones)
        {
            Assert.Equal(!UNetMotionModel.IsMotion(name), parameter.is_meta);
            if (parameter.is_meta)
                continue;
            Assert.True(Goldens.Difference(parameter, twos[name]) == 0, name);
            if (parameter.Dimensions > 1)
                Assert.False(Goldens.Difference(parameter, others[name]) == 0, name);
        }
    }

    private static UNetMotionModel Small() => new(
        new UNetConfig { BlockOutChannels = [32, 64], DownBlockTypes = ["CrossAttnDownBlock2D", "DownBlock2D"], UpBlockTypes = ["UpBlock2D", "CrossAttnUpBlock2D"] },
        new MotionConfig { BlockOutChannels = [32, 64] },
        META);
}
