using System.Text.Json;
using AnimateDiff.Lora;
using AnimateDiff.Weights;
using AnimateDiff.Weights.Layouts;
using static AnimateDiff.Tests.Weights.Layouts.LayoutFixtures;

namespace AnimateDiff.Tests.Weights.Layouts;

public sealed class LoraReadingTests
{
    private const string Layer = "unet.mid_block.attentions.0.proj_in";

    [Fact]
    public void Kohya_layers_are_scaled_by_alpha_over_rank_and_have_the_shapes_of_their_layers()
    {
        using var files = LoraFiles.Open(Goldens.Model("kohya-style.safetensors"));
        Assert.Equal(LoraKind.Lora, files.Weights.Kind);
        Assert.All(files.Weights.Layers.Values, layer => Assert.Equal(0.5, layer.Scale));
        using var unet = ModelFolder.Open(Goldens.Model("nano-sd15/unet"));
        using var text = ModelFolder.Open(Goldens.Model("nano-sd15/text_encoder"));
        foreach (var (module, layer) in files.Weights.Layers)
        {
            var (component, name) = (module[..module.IndexOf('.')], module[(module.IndexOf('.') + 1)..]);
            var shape = (component == "unet" ? unet : text)[name + ".weight"].Shape;
            Assert.Equal((shape[0], shape[1]), (layer.Up.Shape[0], layer.Down.Shape[1]));
            Assert.Equal(shape.Count, layer.Down.Shape.Count);
        }
        Assert.Equal(630 / 3, files.Weights.Layers.Count);
    }

    [Theory]
    [InlineData("domain-adapter.ckpt", LoraKind.DomainAdapter, 256 / 2)]
    [InlineData("motionlora-zoom-in.ckpt", LoraKind.MotionLora, 336 / 2)]
    public void Official_files_are_applied_at_full_scale(string file, LoraKind kind, int layers)
    {
        using var files = LoraFiles.Open(Goldens.Model(file));
        Assert.Equal((kind, layers), (files.Weights.Kind, files.Weights.Layers.Count));
        Assert.All(files.Weights.Layers.Values, layer => Assert.Equal(1, layer.Scale));
        Assert.All(files.Weights.Layers.Keys, module => Assert.StartsWith("unet.", module));
    }

    [Fact]
    public void PEFT_settings_in_the_metadata_give_the_alphas()
    {
        var metadata = new Dictionary<string, string>
        {
            [LoraTensors.PeftMetadata] = JsonSerializer.Serialize(new Dictionary<string, object>
            {
                ["unet.r"] = 4,
                ["unet.lora_alpha"] = 8,
                ["unet.alpha_pattern"] = new Dictionary<string, double> { ["conv_in"] = 2 },
            }),
        };
        var layers = LoraTensors.Read(Unread(
            [($"{Layer}.lora_A.weight", [4, 8]), ($"{Layer}.lora_B.weight", [8, 4]), ("unet.conv_in.lora_A.weight", [4, 4, 3, 3]), ("unet.conv_in.lora_B.weight", [8, 4, 1, 1])], metadata)).ToWeights().Layers;
        Assert.Equal(2, layers[Layer].Scale);
        Assert.Equal(0.5, layers["unet.conv_in"].Scale);
    }

    [Fact]
    public void Only_alphas_are_read()
    {
        var read = new List<string>();
        var file = Numbered([($"{Layer}.lora_A.weight", [4, 8]), ($"{Layer}.lora_B.weight", [8, 4]), ($"{Layer}.alpha", [])]);
        var watched = new StateDict("watched", file.ToDictionary(entry => entry.Key, entry => entry.Value with
        {
            Read = () =>
            {
                read.Add(entry.Key);
                return entry.Value.Read();
            }
        }));
        Assert.Equal(0.75, LoraTensors.Read(watched).ToWeights().Layers[Layer].Scale);
        Assert.Equal([$"{Layer}.alpha"], read);
    }

    [Fact]
    public void PEFT_settings_that_are_no_JSON_are_refused_rather_than_guessed()
        => Assert.Contains("no JSON object", Assert.Throws<FileException>(() => LoraTensors.Read(Unread(
            [($"{Layer}.lora_A.weight", [4, 8]), ($"{Layer}.lora_B.weight", [8, 4])], new Dictionary<string, string> { [LoraTensors.PeftMetadata] = "[" }))).Message);

    [Theory]
    [InlineData("lacks the up matrix", "unet.conv_in.lora_A.weight:4,4,3,3")]
    [InlineData("have ranks 4 and 3", "unet.conv_in.lora_A.weight:4,4,3,3", "unet.conv_in.lora_B.weight:8,3,1,1")]
    [InlineData("is not one number", "unet.conv_in.lora_A.weight:4,4,3,3", "unet.conv_in.lora_B.weight:8,4,1,1", "unet.conv_in.alpha:4")]
    [InlineData("names no layer", "lora_unet_something_else.lora_down.weight:4,4")]
    [InlineData("LyCORIS or DoRA", "lora_unet_conv_in.lora_down.weight:4,4,3,3", "lora_unet_conv_in.dora_scale:8,1")]
    [InlineData("two tensors for the Down", "unet.conv_in.lora_A.weight:4,4,3,3", "lora_unet_conv_in.lora_down.weight:4,4,3,3")]
    public void Files_that_cannot_be_applied_are_refused_with_the_reason(string reason, params string[] tensors)
    {
        var file = Unread(tensors.Select(tensor => tensor.Split(':')).Select(parts => (parts[0], parts[1].Split(',').Select(long.Parse).ToArray())));
        Assert.Contains(reason, Assert.Throws<FileException>(() => LoraTensors.Read(file)).Message);
    }
}
