using System.Text.RegularExpressions;
using AnimateDiff.Lora;
using AnimateDiff.Tests.Parity;
using AnimateDiff.Tests.Text;
using AnimateDiff.Weights;
using TorchSharp.Modules;

namespace AnimateDiff.Tests.Lora;

/// <summary>
/// Files with the names of the published LCM LoRAs (<c>lcm-lora-sdv1-5</c>, <c>AnimateLCM_sd15_t2v_lora</c>): kohya's, with alphas, on attention, feed-forward layers,
/// resnets with their time projections and shortcuts, and resampling.
/// </summary>
public sealed partial class LcmLoraTests : IDisposable
{
    private const int Rank = 2;
    private const double Alpha = 1;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_layer_of_it_is_changed_by_what_its_matrices_say()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet("v3");
        using var text = TextEncoders.Nano();
        var made = Write(unet, _folder["lcm.safetensors"]);
        Assert.All(new[] { "conv1", "conv2", "conv_shortcut", "time_emb_proj", "downsamplers.0.conv", "upsamplers.0.conv", "proj_in", "ff.net.0.proj", "attn2.to_out.0" },
            part => Assert.Contains(made.Keys, name => name.EndsWith(part)));

        using var file = LoraFiles.Open(_folder["lcm.safetensors"]);
        Assert.Equal((CheckpointKind.Lora, made.Count), (file.Kind.Kind, file.Weights.Layers.Count));
        var before = made.Keys.ToDictionary(name => name, name => unet.get_parameter(name + ".weight")!.clone());
        using var adapters = new RequestAdapters(unet, text);
        adapters.Start([(file.Weights, (Curve)1)]);
        Assert.Empty(adapters.Skipped);
        foreach (var (name, (down, up)) in made)
        {
            var expected = before[name] + (Alpha / Rank * up.flatten(1).matmul(down.flatten(1))).view(before[name].shape);
            Assert.InRange(Goldens.Difference(unet.get_parameter(name + ".weight")!, expected), 0, 1e-5);
            Assert.True(Goldens.Difference(expected, before[name]) > 1e-2, name);
        }
        adapters.Start([]);
        Assert.All(made.Keys, name => Assert.Equal(0, Goldens.Difference(unet.get_parameter(name + ".weight")!, before[name])));
    }

    [Fact]
    public async Task It_is_sampled_in_a_few_steps_with_and_without_guidance()
    {
        using (var scope = NewDisposeScope())
        using (var unet = UNetTestModels.UNet())
            Write(unet, _folder["lcm.safetensors"]);
        using var pipeline = await NanoPipeline.LoadAsync();
        var request = new GenerationRequest("A painting of a squirrel eating a burger, 4k") { Frames = 2, Height = 32, Width = 32, Steps = 4, Scheduler = "lcm", GuidanceScale = 1, Seed = 1 };
        var adapted = request with { Adapters = [new(AdapterRole.Lora, _folder["lcm.safetensors"], 0.5)] };
        var numbers = await pipeline.NumbersAsync(adapted);
        Assert.All(numbers, number => Assert.True(float.IsFinite(number)));
        Assert.NotEqual(numbers, await pipeline.NumbersAsync(request));
        Assert.NotEqual(numbers, await pipeline.NumbersAsync(adapted with { GuidanceScale = 1.5 }));
    }

    // The matrices by the layers' names, as they are written.
    private static Dictionary<string, (Tensor Down, Tensor Up)> Write(nn.Module unet, string path)
    {
        using var seed = new Generator(1, CPU);
        var made = new Dictionary<string, (Tensor Down, Tensor Up)>();
        foreach (var (name, module) in unet.named_modules().Where(module => Trained().IsMatch(module.name)))
        {
            var weight = module.parameters(recurse: false).First();
            var (rows, rest) = (weight.shape[0], weight.shape[1..]);
            Assert.True(module is Conv2d || rest.Length == 1, name);
            made.Add(name, (randn([Rank, .. rest], generator: seed), randn(module is Conv2d ? [rows, Rank, 1, 1] : [rows, Rank], generator: seed)));
        }
        SafetensorsWriter.Write(path, made.SelectMany(layer => new (string, Tensor)[]
        {
            ($"{Name(layer.Key)}.lora_down.weight", layer.Value.Down), ($"{Name(layer.Key)}.lora_up.weight", layer.Value.Up), ($"{Name(layer.Key)}.alpha", tensor(Alpha).to(ScalarType.Float32)),
        }));
        return made;
    }

    private static string Name(string layer) => $"lora_unet_{layer.Replace('.', '_')}";

    [GeneratedRegex(@"^(?!.*motion_modules).*\.(to_q|to_k|to_v|to_out\.0|proj_in|proj_out|ff\.net\.0\.proj|ff\.net\.2|conv1|conv2|conv_shortcut|downsamplers\.0\.conv|upsamplers\.0\.conv|time_emb_proj)$")]
    private static partial Regex Trained();
}
