using AnimateDiff.Control;
using AnimateDiff.Tests.Parity;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Control;

public class SparseControlTests
{
    /// <summary>The prediction under a condition of latents with a mask, by way of the first loss of the reference's training: no weight has changed yet.</summary>
    [Fact]
    public void Encoder_of_latents_steers_as_in_the_reference()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var reference = Goldens.Case("train-sparsectrl");
        Tensor First(string name) => reference[name].Read()[0];
        using var unet = UNetTestModels.UNet("v3");
        using var files = ControlFiles.Open(Goldens.Model("sparsectrl-rgb"));
        using var encoder = new SparseControlNetModel(ControlConfig.Parse(files.Config, files.Path), META) { MotionNormAcrossFrames = true };
        ModuleWeights.Load(encoder, files.Weights, "SparseCtrl encoder");
        Assert.True(encoder.TakesLatents);

        var (x0, noise, time) = (First("x0"), First("noise"), First("timesteps"));
        var betas = linspace(0.00085, 0.012, 1000, ScalarType.Float32);
        var alphas = (1 - betas).cumprod(0).index_select(0, time).view(-1, 1, 1, 1, 1);
        var noisy = alphas.sqrt() * x0 + (1 - alphas).sqrt() * noise;
        var text = reference["encoder_hidden_states"].Read();
        Tensor Frames(string name) => First(name).transpose(1, 2).flatten(0, 1);                // [B·F, C, h, w]
        using var own = encoder.Prepare(text);
        using var residuals = encoder.Forward(time, own, encoder.Embed(Frames("condition"), Frames("mask")), clips: 2, frames: 8);
        using var context = unet.Prepare(text);
        var loss = (unet.Forward(noisy, time, context, residuals) - noise).square().mean().item<float>();
        Assert.Equal(reference["losses"].Read()[0].item<float>(), loss, 1e-5);

        var free = (unet.Forward(noisy, time, context, null) - noise).square().mean().item<float>();
        Assert.NotEqual(loss, free, 1e-3);
    }

    [Fact]
    public void A_frame_has_one_picture_and_is_in_the_clip()
    {
        SparseControl With(params int[] frames) => new("encoder", [.. frames.Select(frame => new SparseImage(frame, $"{frame}.png"))]);
        Assert.Equal([0, 7, 3], With(0, -1, 3).FramesOf(8));
        Assert.Contains("8 frames, 0 to 7", Assert.Throws<RequestException>(() => With(8).FramesOf(8)).Message);
        Assert.Throws<RequestException>(() => With(-9).FramesOf(8));
        Assert.Contains("two pictures", Assert.Throws<RequestException>(() => With(7, -1).FramesOf(8)).Message);
        Assert.Equal(new SparseImage(-1, "a:b.png"), SparseImage.Parse("-1:a:b.png"));
    }

    [Theory]
    [InlineData("net", "net", 1, 0, 1)]
    [InlineData("net.pth:0.5", "net.pth", 0.5, 0, 1)]
    [InlineData("owner/net:0.5:0-0.4", "owner/net", 0.5, 0, 0.4)]
    [InlineData("a:b", "a:b", 1, 0, 1)]
    [InlineData("a:b:2:.2-.9", "a:b", 2, 0.2, 0.9)]
    public void A_ControlNet_is_named_with_strength_and_steps(string text, string path, double scale, double start, double end)
        => Assert.Equal(new ControlNetInput(path, "p", scale, start, end), ControlNetInput.Parse(text, "p"));
}
