using AnimateDiff.Denoising;
using AnimateDiff.Tests.Parity;
using AnimateDiff.Weights;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Tests.Denoising;

/// <summary>The UNet of Tune-A-Video: sparse-causal attention, attention along the frames, norms across frames.</summary>
public sealed class TuneAVideoTests
{
    [Fact]
    public void The_tuned_UNet_equals_the_original_code()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var golden = Goldens.Case("tune-a-video");
        var expected = golden["out"].Read();
        Assert.InRange(Goldens.Difference(Predict(Tuned(), golden), expected), 0, 5e-5);
        foreach (var change in new Action<UNetMotionModel>[] { unet => unet.FrameAttention = FrameAttention.First, unet => unet.ResnetNormAcrossFrames = false })
        {
            var other = Tuned();
            change(other);
            Assert.True(Goldens.Difference(Predict(other, golden), expected) > 1e-3);
        }
    }

    [Fact]
    public void New_attention_along_the_frames_adds_nothing()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var golden = Goldens.Case("tune-a-video");
        var image = UNetTestModels.UNet();
        (image.FrameAttention, image.ResnetNormAcrossFrames) = (FrameAttention.FirstAndFormer, true);
        var fresh = Empty();
        Load(fresh);
        fresh.InitialiseTemporal(seed: 5);
        Assert.Equal(0.0, Goldens.Difference(Predict(fresh, golden), Predict(image, golden)));
        Assert.All(fresh.named_parameters().Where(entry => entry.name.Contains("attn_temp.to_q")), entry => Assert.True(entry.parameter.std().item<float>() > 0.01f));
    }

    [Fact]
    public void Little_memory_and_recomputation_give_the_same_numbers()
    {
        using var scope = NewDisposeScope();
        using var golden = Goldens.Case("tune-a-video");
        using var unet = Tuned();
        var (recomputed, kept) = (Gradient(recompute: true), Gradient(recompute: false));
        Assert.InRange(Goldens.Difference(recomputed, kept), 0, 1e-6);
        using var _ = inference_mode();
        var whole = unet.Predict(golden["sample"].Read(), golden["timestep"].Read(), golden["encoder_hidden_states"].Read());
        unet.PieceSize = 2000;
        Assert.InRange(Goldens.Difference(unet.Predict(golden["sample"].Read(), golden["timestep"].Read(), golden["encoder_hidden_states"].Read()), whole), 0, 1e-5);

        Tensor Gradient(bool recompute)
        {
            unet.Recomputes = recompute;
            var weight = unet.named_parameters().Single(entry => entry.name == "down_blocks.0.attentions.1.transformer_blocks.0.attn_temp.to_v.weight").parameter;
            weight.requires_grad = true;
            unet.Predict(golden["sample"].Read(), golden["timestep"].Read(), golden["encoder_hidden_states"].Read()).square().mean().backward();
            var gradient = weight.grad!.clone();
            weight.grad = null;
            return gradient;
        }
    }

    [Fact]
    public void The_configuration_of_the_original_is_read_and_the_image_models_becomes_one()
    {
        var image = File.ReadAllText(Path.Combine(Goldens.Model("nano-sd15"), "unet", "config.json"));
        var tuned = TuneAVideoLayout.Config(image);
        Assert.Contains("\"CrossAttnDownBlock3D\"", tuned);
        Assert.Contains("\"UNet3DConditionModel\"", tuned);
        Assert.DoesNotContain("Block2D", tuned);
        var (read, plain) = (UNetConfig.Parse(tuned, "tuned"), UNetConfig.Parse(image, "image"));
        Assert.True(read.TemporalAttention);
        Assert.False(plain.TemporalAttention);
        Assert.Equal(plain.DownBlockTypes, read.DownBlockTypes);
        Assert.Equal(plain.UpBlockTypes, read.UpBlockTypes);
        const string Middle = """{"_class_name": "UNet3DConditionModel", "mid_block_type": "UNetMidBlock3DCrossAttn"}""";
        Assert.True(UNetConfig.Parse(Middle, "middle").TemporalAttention);
    }

    private static Tensor Predict(UNetMotionModel unet, StateDict golden)
    {
        using (unet)
            return unet.Predict(golden["sample"].Read(), golden["timestep"].Read(), golden["encoder_hidden_states"].Read());
    }

    private static UNetMotionModel Empty() => new(UNetConfig.Read(Path.Combine(Goldens.Model("nano-sd15"), "unet", "config.json")) with { TemporalAttention = true }, null, META);

    private static void Load(UNetMotionModel unet)
    {
        using var image = ModelFolder.Open(Path.Combine(Goldens.Model("nano-sd15"), "unet"));
        ModuleWeights.Load(unet, image, "UNet", part: name => !UNetMotionModel.IsTemporal(name));
    }

    private static UNetMotionModel Tuned()
    {
        var unet = Empty();
        Load(unet);
        using var temporal = ModelFolder.Open(Goldens.Model("tune-a-video-temporal.safetensors"));
        ModuleWeights.Load(unet, temporal, "temporal layers", part: UNetMotionModel.IsTemporal);
        return unet;
    }
}
