using AnimateDiff.Layers;
using AnimateDiff.Tests.Text;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.ImagePrompts;

/// <summary>Pictures as prompts; the numbers of a whole pipeline are pinned by Parity/PipelineParityTests.</summary>
public sealed class ImagePromptTests : IDisposable
{
    private static readonly GenerationRequest Plain = new("A painting of a squirrel eating a burger, 4k") { Frames = 2, Steps = 1, Seed = 3 };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Requests_with_and_without_pictures_leave_no_trace_in_each_other_and_no_tensor()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var first = IPAdapterFixtures.Pictures[0];
        var before = await Pixels(pipeline, Plain);
        var live = await pipeline.LiveTensorsAsync();
        var picture = Plain with { ImagePrompts = [new(IPAdapterFixtures.Plain, [first], 0.7)] };
        var shown = await Pixels(pipeline, picture);
        var liveShown = await pipeline.LiveTensorsAsync();
        Assert.NotEqual(before, shown);
        Assert.Equal(shown, await Pixels(pipeline, picture));
        Assert.Equal(liveShown, await pipeline.LiveTensorsAsync());
        Assert.NotEqual(shown, await Pixels(pipeline, Plain with { ImagePrompts = [new(IPAdapterFixtures.Plain, [IPAdapterFixtures.Pictures[1]], 0.7)] }));
        Assert.Equal(before, await Pixels(pipeline, Plain with { ImagePrompts = [new(IPAdapterFixtures.Plain, [first], 0)] }));
        var plus = Plain with { ImagePrompts = [new(IPAdapterFixtures.Plus(_folder), IPAdapterFixtures.Pictures, 0.7) { Encoder = IPAdapterFixtures.Encoder }] };
        Assert.NotEqual(before, await Pixels(pipeline, plus));
        Assert.NotEqual(shown, await Pixels(pipeline, plus));
        Assert.Equal(before, await Pixels(pipeline, Plain));
        // TorchSharp's count keeps what the layers of a load were made with on the meta device, which is nobody's; the weights, over a hundred, are not among it
        Assert.InRange(await pipeline.LiveTensorsAsync() - live, 0, 5);
    }

    [Fact]
    public async Task The_same_picture_twice_is_that_picture_with_both_weights()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var picture = IPAdapterFixtures.Pictures[0];
        var once = Plain with { GuidanceScale = 1, ImagePrompts = [new(IPAdapterFixtures.Plain, [picture], 0.75)] };
        var twice = once with { ImagePrompts = [new(IPAdapterFixtures.Plain, [picture], 0.5), new(IPAdapterFixtures.Plain, [picture, picture], 0.25)] };
        var (expected, actual) = (await Pixels(pipeline, once), await Pixels(pipeline, twice));
        Assert.All(expected.Zip(actual), pair => Assert.InRange(pair.First - pair.Second, -1, 1));
        Assert.NotEqual(expected, await Pixels(pipeline, once with { ImagePrompts = [] }));
    }

    [Fact]
    public async Task The_official_bin_gives_the_same_bits()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        ImagePrompt Of(string adapter) => new(adapter, [IPAdapterFixtures.Pictures[0]], 0.7) { Encoder = IPAdapterFixtures.Encoder };
        Assert.Equal(await Pixels(pipeline, Plain with { ImagePrompts = [Of(IPAdapterFixtures.Plain)] }),
            await Pixels(pipeline, Plain with { ImagePrompts = [Of(IPAdapterFixtures.Bin(_folder))] }));
    }

    [Fact]
    public void Attention_adds_the_pictures_share_to_the_texts()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        manual_seed(4);
        using var attention = new Attention(16, 2, 12);
        var (tokens, text) = (randn(4, 5, 16), attention.Project(randn(4, 7, 12)));
        var image = attention.Split(randn(2, 3, 16), randn(2, 3, 16));                       // rows for two and two of the four
        KeyValue Repeated() => new(image.Key.repeat_interleave(2, 0), image.Value.repeat_interleave(2, 0));
        var both = attention.call(tokens, text with { Beside = [new(image, [0.6f])] });
        var zero = attention.call(tokens, new(zeros(4, 2, 1, 8), zeros(4, 2, 1, 8)));        // the bias alone
        var expected = attention.call(tokens, text) + 0.6 * (attention.call(tokens, Repeated()) - zero);
        Assert.InRange(Goldens.Difference(both, expected), 0, 1e-6);
    }

    [Fact]
    public async Task What_does_not_fit_is_refused_with_the_reason()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var picture = IPAdapterFixtures.Pictures[0];
        async Task<string> Refusal(ImagePrompt prompt) =>
            (await Assert.ThrowsAnyAsync<FileException>(() => pipeline.GenerateAsync(Plain with { ImagePrompts = [prompt] }))).Message;
        ImagePrompt Other(Func<string, string?> rename) => new(IPAdapterFixtures.Renamed(_folder, rename), [picture]) { Encoder = IPAdapterFixtures.Encoder };

        Assert.Contains("--ip-encoder", await Refusal(new(IPAdapterFixtures.Renamed(_folder, name => name), [picture])));
        Assert.Contains("15 cross-attention layers, and the base model has 16", await Refusal(Other(name => name.StartsWith("ip_adapter.31.") ? null : name)));
        Assert.Contains("an IP-Adapter for SDXL", await Refusal(new(IPAdapterFixtures.Sdxl(_folder), [picture]) { Encoder = IPAdapterFixtures.Encoder }));
        Assert.Contains("IP-Adapter FaceID", await Refusal(Other(name => name.Replace("image_proj.proj.", "image_proj.proj.2."))));
        Assert.Contains("IP-Adapter Full", await Refusal(Other(name => name.Replace("image_proj.norm.", "image_proj.proj.3.").Replace("image_proj.proj.w", "image_proj.proj.0.w").Replace("image_proj.proj.b", "image_proj.proj.0.b"))));
        Assert.Contains("a LoRA for SD1.5, not an IP-Adapter; give it as --lora", await Refusal(new(Goldens.Model("kohya-style.safetensors"), [picture]) { Encoder = IPAdapterFixtures.Encoder }));
        Assert.Contains("not a CLIP vision encoder", await Refusal(new(IPAdapterFixtures.Plain, [picture]) { Encoder = Goldens.Model("nano-sd15/vae") }));
        Assert.Contains("does not exist; --ip-image", await Refusal(new(IPAdapterFixtures.Plain, [_folder["none.png"]])));
        Assert.Contains("cannot be read as a picture", await Refusal(new(IPAdapterFixtures.Plain, [IPAdapterFixtures.Plain])));

        Directory.CreateDirectory(_folder["small"]);
        File.Copy(Path.Combine(IPAdapterFixtures.Encoder, "config.json"), _folder["small/config.json"]);
        using (var encoder = WeightFile.Open(Path.Combine(IPAdapterFixtures.Encoder, "model.safetensors")))
            SafetensorsWriter.Write(_folder["small/model.safetensors"], encoder);
        File.WriteAllText(_folder["small/config.json"], File.ReadAllText(_folder["small/config.json"]).Replace("\"projection_dim\": 40", "\"projection_dim\": 20"));
        Assert.Contains("CLIP vision encoder: 0 tensors missing, 0 unexpected, 1 of another shape", await Refusal(new(IPAdapterFixtures.Plain, [picture]) { Encoder = _folder["small"] }));
        Assert.NotEmpty(await Pixels(pipeline, Plain));                                      // and the pipeline is as before
    }

    [Fact]
    public void The_inspector_names_the_build()
    {
        Assert.StartsWith("An IP-Adapter for SD1.5 in the official layout: 4 tokens a picture, 16 layers", CheckpointInspector.Inspect(IPAdapterFixtures.Plain).Kind.Sentence);
        Assert.StartsWith("An IP-Adapter Plus for SD1.5 in the official layout: 6 tokens a picture, 16 layers", CheckpointInspector.Inspect(IPAdapterFixtures.Plus(_folder)).Kind.Sentence);
    }

    [Theory]
    [InlineData(0, 1, "needs the IP-Adapter")]
    [InlineData(1, 0, "has no picture")]
    [InlineData(2, 3, "do not pair")]
    public void Adapters_and_pictures_that_do_not_pair_are_refused(int adapters, int images, string reason)
    {
        string[] Names(int count) => [.. Enumerable.Range(0, count).Select(number => $"{number}")];
        Assert.Contains(reason, Assert.Throws<RequestException>(() => ImagePrompt.Pair(Names(adapters), Names(images))).Message);
    }

    [Fact]
    public void One_adapter_sees_all_pictures_and_several_see_one_each()
    {
        var one = Assert.Single(ImagePrompt.Pair(["a.bin:0.5"], ["x", "y"], "e"));
        Assert.Equal(("a.bin", 0.5, "e"), (one.IPAdapter, one.Scale, one.Encoder));
        Assert.Equal(["x", "y"], one.Images);
        Assert.Equal([("a", "x"), ("b", "y")], ImagePrompt.Pair(["a", "b"], ["x", "y"]).Select(prompt => (prompt.IPAdapter, Assert.Single(prompt.Images))));
    }

    private static async Task<byte[]> Pixels(AnimateDiffPipeline pipeline, GenerationRequest request) => (await pipeline.GenerateAsync(request)).Videos[0].Pixels.ToArray();
}
