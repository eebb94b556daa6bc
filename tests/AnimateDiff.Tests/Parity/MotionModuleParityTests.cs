using AnimateDiff.Denoising;

namespace AnimateDiff.Tests.Parity;

public class MotionModuleParityTests
{
    [Fact]
    public void Motion_module_equals_diffusers()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet("v3");
        using var golden = Goldens.Case("motion-module");
        var output = Module(unet).Forward(golden["hidden_states"].Read(), clips: 2, sets: 2);
        Assert.InRange(Goldens.Difference(output, golden["out"].Read()), 0, 2e-5);
    }

    [Fact]
    public void Zero_initialised_module_is_the_identity()
    {
        using var scope = NewDisposeScope();
        using var module = new MotionModule(64, new MotionConfig());
        module.ZeroInitialise();
        var images = randn(6, 64, 3, 5);
        Assert.Equal(0.0, Goldens.Difference(module.Forward(images, clips: 2, sets: 6), images));
    }

    [Fact]
    public void Motion_reaches_every_frame_of_its_clip_and_no_other_clip()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet("v3");
        using var golden = Goldens.Case("motion-module");
        var images = golden["hidden_states"].Read();
        var changed = images.clone();
        changed[5].neg_();                                                                                  // a frame of the first of two clips
        foreach (var sets in new[] { 2, 32 })
        {
            var difference = (Module(unet).Forward(changed, 2, sets) - Module(unet).Forward(images, 2, sets)).abs().amax([1, 2, 3]);
            Assert.True(difference[..16].min().item<float>() > 1e-4);
            Assert.Equal(0, difference[16..].max().item<float>());
        }
    }

    [Fact]
    public void More_frames_than_positions_are_refused_with_the_limit()
    {
        using var scope = NewDisposeScope();
        using var module = new MotionModule(64, new MotionConfig { MotionMaxSeqLength = 24 });
        var error = Assert.Throws<RequestException>(() => module.Forward(randn(25, 64, 2, 2), clips: 1, sets: 25));
        Assert.Contains("25 frames", error.Message);
        Assert.Contains("24 frames or fewer", error.Message);
    }

    // Central differences of a weighted sum of the output, by one weight of each kind of layer, against autograd through the scoped forward pass.
    [Theory]
    [InlineData("transformer_blocks.0.attn1.to_q.weight")]
    [InlineData("transformer_blocks.0.attn2.to_v.weight")]
    [InlineData("transformer_blocks.0.ff.net.0.proj.weight")]
    [InlineData("transformer_blocks.0.norm1.weight")]
    [InlineData("proj_out.bias")]
    [InlineData("norm.weight")]
    public void Gradient_equals_finite_differences(string name)
    {
        using var scope = NewDisposeScope();
        using var unet = UNetTestModels.UNet("v3", dtype: ScalarType.Float64);
        using var golden = Goldens.Case("motion-module");
        var module = Module(unet);
        var weight = module.get_parameter(name)!;
        weight.requires_grad = true;
        var images = golden["hidden_states"].Read().to(ScalarType.Float64);
        var direction = randn(images.shape, ScalarType.Float64, generator: new Generator(1));
        Tensor Loss() => (module.Forward(images, 2, 2) * direction).sum();

        Loss().backward();
        var gradient = weight.grad!.flatten();
        using var _ = no_grad();
        foreach (var index in new[] { 0L, weight.numel() / 2, weight.numel() - 1 })
        {
            var entry = weight.view(-1)[(int)index];
            var value = entry.item<double>();
            double At(double shift)
            {
                entry.fill_(value + shift);
                return Loss().item<double>();
            }
            var numeric = (At(1e-4) - At(-1e-4)) / 2e-4;
            entry.fill_(value);
            Assert.Equal(numeric, gradient[index].item<double>(), 1e-5 * Math.Max(1, Math.Abs(numeric)));
        }
    }

    private static MotionModule Module(UNetMotionModel unet)
        => (MotionModule)unet.named_modules().Single(entry => entry.name == "down_blocks.0.motion_modules.0").module;
}
