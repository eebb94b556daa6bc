using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Lora;
using AnimateDiff.Vae;
using AnimateDiff.Weights;
using TorchSharp.Modules;

namespace AnimateDiff.Tests.Weights;

/// <summary>fp16 weights that stay so in a model that computes in fp32 change no bit of what it computes.</summary>
public class KeptHalvesTests
{
    private static readonly string Toybox = Path.Combine(Goldens.Repository, "models", "toybox");

    [Fact]
    public void A_UNet_computes_the_same_and_takes_half_the_memory()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var generator = new Generator(1);
        Tensor latents = randn(new long[] { 2, 4, 8, 16, 16 }, generator: generator), text = randn(2, 77, 64, generator: generator), timestep = tensor(new float[] { 500 });
        using UNetMotionModel whole = UNet(keepsHalves: false), kept = UNet(keepsHalves: true);
        Assert.True(Bits.Same(whole.call(latents, timestep, whole.Prepare(text)), kept.call(latents, timestep, kept.Prepare(text))));
        Assert.InRange((double)Bytes(kept) / Bytes(whole), 0.5, 0.52);
        Assert.All(kept.named_parameters().Where(entry => entry.name.EndsWith(".bias") || entry.name.Contains("norm")), entry => Assert.Equal(ScalarType.Float32, entry.parameter.dtype));
    }

    [Fact]
    public void A_VAE_computes_the_same()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var generator = new Generator(2);
        Tensor latents = randn(new long[] { 2, 4, 16, 16 }, generator: generator);
        using AutoencoderKL whole = Vae(keepsHalves: false), kept = Vae(keepsHalves: true);
        Assert.True(Bits.Same(whole.Decode(latents), kept.Decode(latents)));
        Assert.True(Bytes(kept) < 0.6 * Bytes(whole));
    }

    [Theory]
    [InlineData(4)]                 // a product
    [InlineData(512)]               // a convolution
    public void Layers_compute_in_the_type_of_what_they_are_given_and_leave_nothing(long rows)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var generator = new Generator(3);
        Tensor x = randn(rows, 24, generator: generator), images = randn(new long[] { 2, 6, 9, 9 }, generator: generator);
        using Linear linear = new(24, 40);
        using Conv2d convolution = new(6, 8, 3, stride: 2, padding: 1);
        foreach (WeightedLayer layer in new WeightedLayer[] { linear, convolution })
        {
            var input = layer == linear ? x : images;
            var half = layer.weight.to(ScalarType.Float16);
            layer.weight = new Parameter(half.to(ScalarType.Float32), requires_grad: false);
            var expected = layer.call(input);
            layer.weight = new Parameter(half, requires_grad: false);
            var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            var found = layer.call(input);
            Assert.Equal(live + 1, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
            Assert.True(Bits.Same(expected, found));
            Assert.Equal(ScalarType.Float16, layer.weight.dtype);
        }
    }

    [Fact]
    public void Adapters_are_added_in_fp32_and_the_halves_come_back()
    {
        using var scope = NewDisposeScope();
        using UNetMotionModel whole = UNet(keepsHalves: false), kept = UNet(keepsHalves: true);
        const string layer = "down_blocks.0.motion_modules.0.transformer_blocks.0.attn1.to_q";
        Parameter Weight(UNetMotionModel of) => of.get_parameter($"{layer}.weight")!;
        var before = Weight(kept).clone();
        using var file = LoraFiles.Open(Path.Combine(Toybox, "motion-lora", "zoom-in.safetensors"));
        var adapter = file.Weights;
        using LoraStack onWhole = Stack(whole), onKept = Stack(kept);
        foreach (var scale in new[] { 1, 0.3 })
        {
            onWhole.Set([(adapter, scale)]);
            onKept.Set([(adapter, scale)]);
            Assert.True(Bits.Same(Weight(whole), Weight(kept)));
        }
        Assert.False(Bits.Same(Weight(kept), before.to(ScalarType.Float32)));
        onKept.Set([]);
        Assert.True(Bits.Same(Weight(kept), before));

        static LoraStack Stack(nn.Module unet) => new(new Dictionary<string, nn.Module> { ["unet"] = unet });
    }

    [Fact]
    public void Estimates_count_what_stays()
    {
        var options = new PipelineOptions { Base = Path.Combine(Toybox, "base"), Motion = Path.Combine(Toybox, "motion") };
        using var shapes = PipelineParts.Shapes(options, null, TestContext.Current.CancellationToken);
        using var loaded = PipelineParts.Load(options, null, null, TestContext.Current.CancellationToken);
        Assert.Equal(Bytes(loaded.UNet), shapes.Weights.UNet.Bytes(ScalarType.Float32));
        Assert.Equal(Bytes(loaded.Vae), shapes.Weights.Vae.Bytes(ScalarType.Float32));
        Assert.Equal(2.0 * loaded.UNet.parameters().Sum(parameter => parameter.numel()), shapes.Weights.UNet.Bytes(ScalarType.BFloat16));
    }

    private static UNetMotionModel UNet(bool keepsHalves)
    {
        using var image = WeightFile.OpenFolder(Path.Combine(Toybox, "base", "unet"), "diffusion_pytorch_model");
        using var motion = MotionFiles.Open(Path.Combine(Toybox, "motion"));
        var unet = new UNetMotionModel(UNetConfig.Read(Path.Combine(Toybox, "base", "unet", "config.json")), MotionConfig.Parse(motion.Config, motion.Path), META);
        ModuleWeights.Load(unet, image, "UNet", part: name => !UNetMotionModel.IsMotion(name), keepsHalves: keepsHalves);
        ModuleWeights.Load(unet, motion.Weights, "motion module", part: UNetMotionModel.IsMotion, keepsHalves: keepsHalves);
        return unet;
    }

    private static AutoencoderKL Vae(bool keepsHalves)
    {
        var folder = Path.Combine(Toybox, "base", "vae");
        using var weights = WeightFile.OpenFolder(folder, "diffusion_pytorch_model");
        var vae = new AutoencoderKL(VaeConfig.Read(Path.Combine(folder, "config.json")), META);
        ModuleWeights.Load(vae, weights, "VAE", keepsHalves: keepsHalves);
        return vae;
    }

    private static long Bytes(nn.Module module) => module.parameters().Sum(parameter => parameter.numel() * parameter.element_size());
}
