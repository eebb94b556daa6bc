using AnimateDiff.Denoising;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Parity;

public class UNetBehaviourTests
{
    [Fact]
    public void Text_prepared_once_gives_the_same_numbers_every_step()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet("v2");
        using var golden = Goldens.Case("unet-motion-v2");
        var (sample, timestep, embeddings) = (golden["sample"].Read(), golden["timestep"].Read(), golden["encoder_hidden_states"].Read());
        using var text = unet.Prepare(embeddings);
        foreach (var t in new[] { timestep, timestep - 40 })
            Assert.Equal(0.0, Goldens.Difference(unet.call(sample, t, text), unet.Predict(sample, t, embeddings)));
    }

    [Fact]
    public void Text_per_frame_that_is_the_same_for_all_frames_equals_text_per_clip()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet("v3");
        using var golden = Goldens.Case("unet-motion-v3");
        var (sample, timestep, embeddings) = (golden["sample"].Read(), golden["timestep"].Read(), golden["encoder_hidden_states"].Read());
        var perClip = unet.Predict(sample, timestep, embeddings);
        Assert.InRange(Goldens.Difference(unet.Predict(sample, timestep, embeddings.repeat_interleave(16, dim: 0)), perClip), 0, 5e-5);
        var travelling = embeddings.repeat_interleave(16, dim: 0);
        travelling[3] *= 0.5;
        Assert.True(Goldens.Difference(unet.Predict(sample, timestep, travelling), perClip) > 1e-3);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Clips_of_a_batch_do_not_see_each_other(bool official)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet("v1", official);
        using var golden = Goldens.Case("unet-motion-v1");
        var (sample, timestep, embeddings) = (golden["sample_wide"].Read(), golden["timestep"].Read(), golden["encoder_hidden_states"].Read());
        var both = unet.Predict(cat([sample, -sample]), timestep, embeddings);
        Assert.InRange(Goldens.Difference(both[..1], unet.Predict(sample, timestep[..1], embeddings[..1])), 0, 2e-5);
        Assert.InRange(Goldens.Difference(both[1..], unet.Predict(-sample, timestep[1..], embeddings[1..])), 0, 2e-5);
    }

    [Fact]
    public void One_loaded_model_serves_both_semantics()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet("v1", official: true);
        using var golden = Goldens.Case("official-unet-motion-v1");
        var (sample, timestep, embeddings) = (golden["sample_wide"].Read(), golden["timestep"].Read()[..1], golden["encoder_hidden_states"].Read()[..1]);
        var first = unet.Predict(sample, timestep, embeddings);
        (unet.MotionNormAcrossFrames, unet.ResnetNormAcrossFrames) = (true, false);
        Assert.True(Goldens.Difference(unet.Predict(sample, timestep, embeddings), first) > 0.01);
        (unet.MotionNormAcrossFrames, unet.ResnetNormAcrossFrames) = (false, true);
        Assert.Equal(0.0, Goldens.Difference(unet.Predict(sample, timestep, embeddings), first));
    }

    [Fact]
    public void Sizes_that_do_not_halve_evenly_come_back_whole()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet("v3");
        Assert.Equal([1, 4, 2, 9, 7], unet.Predict(randn([1, 4, 2, 9, 7]), tensor(new[] { 500 }), randn(1, 77, 48)).shape);
    }

    [Fact]
    public void Bf16_is_close_to_fp32()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var exact = UNetTestModels.UNet("v3");
        using var half = UNetTestModels.UNet("v3", dtype: ScalarType.BFloat16);
        Assert.All(half.parameters().Concat(half.buffers()), tensor => Assert.Equal(ScalarType.BFloat16, tensor.dtype));
        using var golden = Goldens.Case("unet-motion-v3");
        var (sample, timestep, embeddings) = (golden["sample_wide"].Read(), golden["timestep"].Read()[..1], golden["encoder_hidden_states"].Read()[..1]);
        var expected = exact.Predict(sample, timestep, embeddings);
        var output = half.Predict(sample, timestep, embeddings);
        Assert.Equal(ScalarType.Float32, output.dtype);
        Assert.InRange((output - expected).norm().item<float>() / expected.norm().item<float>(), 1e-6, 0.03);
    }

    [Fact]
    public void Forward_passes_leave_no_tensor_behind()
    {
        using var unet = UNetTestModels.UNet("v2");
        using var sample = randn([2, 4, 3, 8, 8]);
        using var timestep = tensor(new[] { 10, 20 });
        using var embeddings = randn(2, 77, 48);
        foreach (var training in new[] { false, true })
        {
            DisposeScopeManager.Statistics.Reset();
            var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            using (set_grad_enabled(training))
                for (var i = 0; i < 5; i++)
                    unet.Predict(sample, timestep, embeddings).Dispose();
            Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        }
    }

    [Fact]
    public void With_gradients_the_numbers_stay_the_same()
    {
        using var scope = NewDisposeScope();
        using var unet = UNetTestModels.UNet("v3");
        using var golden = Goldens.Case("unet-motion-v3");
        var (sample, timestep, embeddings) = (golden["sample_wide"].Read(), golden["timestep"].Read()[..1], golden["encoder_hidden_states"].Read()[..1]);
        foreach (var (name, parameter) in unet.named_parameters())
            parameter.requires_grad = UNetMotionModel.IsMotion(name);
        var output = unet.Predict(sample, timestep, embeddings);
        output.square().mean().backward();
        Assert.InRange(Goldens.Difference(output, golden["out_wide"].Read()), 0, 5e-5);
        foreach (var (name, parameter) in unet.named_parameters())
            Assert.Equal(UNetMotionModel.IsMotion(name), parameter.grad is { } gradient && gradient.abs().sum().item<float>() > 0);
    }

    [Fact]
    public void Image_file_and_motion_file_load_apart_and_each_strictly()
    {
        using var image = SafetensorsFile.Open(Path.Combine(Goldens.Model("nano-sd15"), "unet", "diffusion_pytorch_model.safetensors"));
        var config = UNetConfig.Read(Path.Combine(Goldens.Model("nano-sd15"), "unet", "config.json"));
        using var unet = new UNetMotionModel(config, new MotionConfig { BlockOutChannels = config.BlockOutChannels }, META);
        ModuleWeights.Load(unet, image, "UNet", part: name => !UNetMotionModel.IsMotion(name));
        Assert.All(unet.named_parameters(), entry => Assert.Equal(UNetMotionModel.IsMotion(entry.name), entry.parameter.is_meta));
        var error = Assert.Throws<CheckpointException>(() => ModuleWeights.Load(unet, image, "motion module", part: UNetMotionModel.IsMotion));
        Assert.Equal(20 * 26, error.Missing.Count);
        Assert.Equal(image.Count, error.Unexpected.Count);
    }
}
