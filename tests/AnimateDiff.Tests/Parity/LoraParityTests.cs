using AnimateDiff.Lora;
using AnimateDiff.Tests.Text;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Parity;

/// <summary>Adapters on the reference models, against diffusers (cases/lora-*), within the tolerance of the UNet cases.</summary>
public class LoraParityTests
{
    private const double Tolerance = 5e-5;

    [Theory]
    [InlineData("lora-domain-adapter-1.0", "v3", "domain-adapter.ckpt", 1.0)]
    [InlineData("lora-domain-adapter-0.5", "v3", "domain-adapter.ckpt", 0.5)]
    [InlineData("lora-motion-zoom-in", "v2", "motionlora-zoom-in.ckpt", 1.0)]
    [InlineData("lora-motion-two", "v2", "motionlora-zoom-in.ckpt", 1.0, "motionlora-pan-left.ckpt", 0.6)]
    public void Adapted_unet_equals_diffusers(string name, string motion, string first, double firstScale, string? second = null, double secondScale = 0)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet(motion);
        using var files = LoraFiles.Open(Goldens.Model(first));
        using var more = second is null ? null : LoraFiles.Open(Goldens.Model(second));
        using var loras = new LoraStack(new Dictionary<string, nn.Module> { ["unet"] = unet });
        loras.Set([(files.Weights, firstScale), .. more is null ? [] : new[] { (more.Weights, secondScale) }]);
        using var golden = Goldens.Case(name);
        var output = unet.Predict(golden["sample"].Read(), golden["timestep"].Read(), golden["encoder_hidden_states"].Read());
        Assert.InRange(Goldens.Difference(output, golden["out"].Read()), 0, Tolerance);
    }

    [Fact]
    public void Kohya_lora_on_unet_and_text_encoder_equals_diffusers()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet();
        using var text = TextEncoders.Nano();
        using var files = LoraFiles.Open(Goldens.Model("kohya-style.safetensors"));
        using var loras = new LoraStack(new Dictionary<string, nn.Module> { ["unet"] = unet, ["text_encoder"] = text });
        loras.Set([(files.Weights, 0.8)]);
        using var golden = Goldens.Case("lora-kohya");
        var output = unet.Predict(golden["sample"].Read().unsqueeze(2), golden["timestep"].Read(), golden["encoder_hidden_states"].Read());
        Assert.InRange(Goldens.Difference(output.squeeze(2), golden["out"].Read()), 0, Tolerance);
        Assert.InRange(Goldens.Difference(text.call(golden["input_ids"].Read(), 0, null), golden["text"].Read()), 0, Tolerance);
    }
}
