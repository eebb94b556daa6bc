using AnimateDiff.Benchmarks;
using AnimateDiff.Denoising;

namespace AnimateDiff.Tests.Parity;

/// <summary>What the benchmarks compare this project with computes the same as what it stands for.</summary>
public class NaiveReferenceTests
{
    [Theory]
    [InlineData("v2")]
    [InlineData("v3")]
    public void Naive_unet_equals_diffusers_and_ours(string motion)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var golden = Goldens.Case($"unet-motion-{motion}");
        using var unet = UNetTestModels.UNet(motion);
        using var weights = new NaiveWeights(unet);
        var naive = new NaiveUNet(weights, unet.Config, unet.Motion!);
        var (sample, timestep, text) = (golden["sample_wide"].Read(), golden["timestep"].Read()[..1], golden["encoder_hidden_states"].Read()[..1]);
        var prediction = naive.Forward(sample, timestep, text.repeat_interleave(sample.shape[2], dim: 0));
        Assert.InRange(Goldens.Difference(prediction, golden["out_wide"].Read()), 0, 1e-5);
        Assert.InRange(Goldens.Difference(prediction, unet.Predict(sample, timestep, text)), 0, 1e-5);
        Assert.True(prediction.permute(0, 2, 1, 3, 4).is_contiguous());                                      // images were never channels-last
    }

    [Fact]
    public void Naive_gradients_equal_ours_also_recomputed()
    {
        using var scope = NewDisposeScope();
        using var golden = Goldens.Case("unet-motion-v3");
        using var unet = UNetTestModels.UNet("v3");
        using var weights = new NaiveWeights(unet);
        var (sample, timestep, text) = (golden["sample_wide"].Read(), golden["timestep"].Read()[..1], golden["encoder_hidden_states"].Read()[..1]);
        var learnt = weights.Where(weight => UNetMotionModel.IsMotion(weight.Key) && !weight.Key.EndsWith(".pe", StringComparison.Ordinal)).ToDictionary();
        foreach (var (name, parameter) in unet.named_parameters())
            parameter.requires_grad = learnt.ContainsKey(name);
        foreach (var weight in learnt.Values)
            weight.requires_grad = true;
        unet.Predict(sample, timestep, text).square().mean().backward();
        foreach (var recomputes in new[] { false, true })
        {
            var naive = new NaiveUNet(weights, unet.Config, unet.Motion!) { Recomputes = recomputes };
            foreach (var weight in learnt.Values)
                weight.grad = null;
            naive.Forward(sample, timestep, text.repeat_interleave(sample.shape[2], dim: 0)).square().mean().backward();
            foreach (var (name, parameter) in unet.named_parameters().Where(own => learnt.ContainsKey(own.name)))
                Assert.InRange(Goldens.Difference(learnt[name].grad!, parameter.grad!), 0, 1e-4);
        }
    }

    [Fact]
    public void Naive_decoder_equals_diffusers()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var golden = Goldens.Case("vae");
        using var vae = UNetTestModels.Vae();
        using var weights = new NaiveWeights(vae);
        var naive = new NaiveVae(weights, vae.Config);
        Assert.InRange(Goldens.Difference(naive.Images(golden["z"].Read()), golden["decoded"].Read()), 0, 2e-5);

        var clip = golden["z"].Read().repeat(9, 1, 1, 1).transpose(0, 1).unsqueeze(0) * vae.Config.ScalingFactor;    // 18 frames: two pieces
        var expected = golden["decoded"].Read().repeat(9, 1, 1, 1).transpose(0, 1).unsqueeze(0);
        Assert.InRange(Goldens.Difference(naive.Decode(clip), expected), 0, 2e-5);
    }
}
