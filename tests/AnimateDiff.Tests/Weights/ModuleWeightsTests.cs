using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Weights;

public class ModuleWeightsTests
{
    [Fact]
    public void Meta_module_gets_the_files_tensors()
    {
        using var weights = SafetensorsFile.Open(Path.Combine(Goldens.Model("nano-sd15"), "unet", "diffusion_pytorch_model.safetensors"));
        using var conv = nn.Conv2d(4, 32, 3, padding: 1, device: META);
        ModuleWeights.Load(conv, weights.Select(name => name.StartsWith("conv_in.") ? name["conv_in.".Length..] : null), "convolution");
        using var raw = weights["conv_in.weight"].Read();
        Assert.Equal(0.0, Goldens.Difference(conv.weight, raw));
        Assert.Equal(ScalarType.Float32, conv.weight.dtype);
    }

    [Fact]
    public void Difference_is_listed()
    {
        using var weights = SafetensorsFile.Open(Path.Combine(Goldens.Model("nano-sd15"), "unet", "diffusion_pytorch_model.safetensors"));
        using var conv = nn.Conv2d(4, 64, 3, padding: 1, device: META);
        var error = Assert.Throws<CheckpointException>(() => ModuleWeights.Load(conv, weights.Select(name => name.StartsWith("conv_in.") ? name["conv_in.".Length..] : null), "convolution"));
        Assert.Equal(2, error.ShapeMismatches.Count);
        Assert.Contains("found [32, 4, 3, 3], expected [64, 4, 3, 3]", error.Message);
    }

    [Fact]
    public void A_filled_module_still_has_all_its_parameters()
    {
        using var text = Text.TextEncoders.Nano();
        using var weights = WeightFile.OpenFolder(Path.Combine(Goldens.Model("nano-sd15"), "text_encoder"), "model");
        Assert.Equal(weights.Keys.Order(), text.state_dict().Keys.Order());
        Assert.All(text.named_parameters(), entry => Assert.False(entry.parameter.IsInvalid, entry.name));
    }
}
