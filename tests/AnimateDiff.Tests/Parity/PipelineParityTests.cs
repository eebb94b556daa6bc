using System.Text.Json;
using AnimateDiff.Noise;
using AnimateDiff.Tests.Text;

namespace AnimateDiff.Tests.Parity;

/// <summary>
/// Whole pipelines from prompt and seed to frames, against diffusers (cases/pipe-*). There is none of pipe-sparsectrl-rgb: its pictures' latents are a draw
/// from a state of the global generator that nobody knows. <see cref="Control.SparseControlTests"/> has that network's numbers.
/// </summary>
public class PipelineParityTests
{
    [Theory]
    [InlineData("pipe-controlnet")]
    [InlineData("pipe-controlnet-two")]
    [InlineData("pipe-freeinit")]
    [InlineData("pipe-freenoise")]
    [InlineData("pipe-freeu")]
    [InlineData("pipe-pag")]
    [InlineData("pipe-prompt-travel")]
    [InlineData("pipe-sparsectrl-scribble")]
    [InlineData("pipe-v1-dpmpp2m-karras")]
    [InlineData("pipe-v2-motionlora-eulera")]
    [InlineData("pipe-v3-adapter-lcm")]
    [InlineData("pipe-v3-batch2")]
    [InlineData("pipe-v3-clipskip")]
    [InlineData("pipe-v3-ddim")]
    [InlineData("pipe-v3-nocfg")]
    [InlineData("pipe-ip-adapter")]
    [InlineData("pipe-vid2vid")]
    [InlineData("pipe-vid2vid-controlnet")]
    public async Task Frames_equal_those_of_diffusers(string name)
    {
        using var reference = Goldens.Case(name);
        var settings = ReferenceModels.Settings(name);
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Models(settings), RecordedTokenizer.Load());

        var (latents, videos) = await pipeline.GenerateTensorsAsync(Request(settings), Sampler(settings));

        var final = reference["latents"].Read();
        Assert.InRange(Goldens.Difference(latents, final) / final.std().item<float>(), 0, 1e-3);
        var expected = reference["frames"].Read();                                              // [B, F, 3, H, W] in 0…1
        Assert.InRange(Goldens.Difference(videos, expected), 0, 1e-3);
        var (actual8, expected8) = ((videos * 255).round().to(ScalarType.Byte), (expected * 255).round().to(ScalarType.Byte));
        Assert.InRange(actual8.eq(expected8).to(ScalarType.Float64).mean().item<double>(), 0.999, 1);
    }

    // The models' weights are random, so that guidance and what strengthens it make more of rounding than trained ones do. Other processors round in another order.
    [Theory]
    [InlineData("pipe-controlnet", 35)]
    [InlineData("pipe-controlnet-two", 35)]
    [InlineData("pipe-freeinit", 35)]
    [InlineData("pipe-freenoise", 35)]
    [InlineData("pipe-freeu", 33)]
    [InlineData("pipe-pag", 33)]
    [InlineData("pipe-prompt-travel", 35)]
    [InlineData("pipe-sparsectrl-scribble", 35)]
    [InlineData("pipe-v1-dpmpp2m-karras", 35)]
    [InlineData("pipe-v2-motionlora-eulera", 33)]
    [InlineData("pipe-v3-adapter-lcm", 35)]
    [InlineData("pipe-v3-batch2", 35)]
    [InlineData("pipe-v3-clipskip", 35)]
    [InlineData("pipe-v3-ddim", 35)]
    [InlineData("pipe-v3-nocfg", 35)]
    [InlineData("pipe-ip-adapter", 35)]
    [InlineData("pipe-vid2vid", 33)]
    [InlineData("pipe-vid2vid-controlnet", 35)]
    public async Task In_bf16_frames_are_near_those_of_fp32(string name, double decibels)
    {
        using var reference = Goldens.Case(name);
        var settings = ReferenceModels.Settings(name);
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Models(settings) with { DType = ScalarType.BFloat16 }, RecordedTokenizer.Load());

        var (latents, videos) = await pipeline.GenerateTensorsAsync(Request(settings), Sampler(settings));

        latents.Dispose();
        var error = (videos.to(ScalarType.Float32) - reference["frames"].Read()).square().mean().item<float>();     // of values in 0…1
        Assert.InRange(-10 * Math.Log10(error), decibels, double.PositiveInfinity);
    }

    /// <summary>The layouts a motion module comes in differ in the rounding of its position encoding; what is computed does not.</summary>
    [Theory]
    [InlineData("v1", Semantics.Official)]
    [InlineData("v1", Semantics.Diffusers)]
    [InlineData("v3", Semantics.Official)]
    [InlineData("v3", Semantics.Diffusers)]
    public async Task Both_layouts_of_a_motion_module_give_the_same_bits(string version, Semantics semantics)
    {
        var request = new GenerationRequest("A painting of a squirrel eating a burger, 4k") { Frames = 4, Steps = 2, Semantics = semantics };
        var pixels = new List<byte[]>();
        foreach (var motion in new[] { ReferenceModels.OfficialMotion(version), ReferenceModels.DiffusersMotion(version) })
        {
            using var pipeline = await AnimateDiffPipeline.LoadAsync(new PipelineOptions { Base = Goldens.Model("nano-sd15"), Motion = motion }, RecordedTokenizer.Load());
            var (latents, frames) = await pipeline.GenerateTensorsAsync(request, Scheduler.Create("ddim", null, 2));
            pixels.Add([.. latents.bytes, .. frames.contiguous().bytes]);
            latents.Dispose();
            frames.Dispose();
        }
        Assert.Equal(pixels[0], pixels[1]);
    }

    /// <summary>One loaded pipeline serves requests of different adapters, samplers and semantics, and each gets what a fresh pipeline would give it.</summary>
    [Fact]
    public async Task Requests_leave_no_trace()
    {
        var options = new PipelineOptions { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v2.safetensors") };
        using var pipeline = await AnimateDiffPipeline.LoadAsync(options, RecordedTokenizer.Load());
        var plain = new GenerationRequest("A painting of a squirrel eating a burger, 4k") { Frames = 4, Steps = 2, Seed = 1 };
        var before = await pipeline.GenerateAsync(plain);
        var adapted = await pipeline.GenerateAsync(plain with
        {
            Adapters = [new(AdapterRole.MotionLora, Goldens.Model("motionlora-zoom-in.ckpt")), new(AdapterRole.Lora, Goldens.Model("kohya-style.safetensors"), 0.8)],
        });
        await pipeline.GenerateAsync(plain with { Semantics = Semantics.Diffusers, Scheduler = "euler-a" });
        var after = await pipeline.GenerateAsync(plain);

        Assert.Equal(before.Videos[0].Pixels.ToArray(), after.Videos[0].Pixels.ToArray());
        Assert.NotEqual(before.Videos[0].Pixels.ToArray(), adapted.Videos[0].Pixels.ToArray());
    }

    private static PipelineOptions Models(JsonElement settings) => new()
    {
        Base = Goldens.Model("nano-sd15"),
        Motion = ReferenceModels.DiffusersMotion(settings.GetProperty("motion").GetString()!),
    };

    private static GenerationRequest Request(JsonElement settings)
    {
        var call = settings.GetProperty("call");
        var adapters = new List<Adapter>();
        if (settings.TryGetProperty("domain_adapter_scale", out var scale))
            adapters.Add(new(AdapterRole.DomainAdapter, Goldens.Model("domain-adapter.ckpt"), scale.GetDouble()));
        if (settings.TryGetProperty("motion_loras", out var loras))
            adapters.AddRange(loras.EnumerateArray().Select(lora => new Adapter(AdapterRole.MotionLora, Goldens.Model($"motionlora-{lora[0].GetString()}.ckpt"), lora[1].GetDouble())));
        return QualitySettings.Of(settings, new GenerationRequest(Texts(call, "prompt"))
        {
            NegativePrompts = Texts(call, "negative_prompt"),
            Frames = Number(call, "num_frames"),
            Height = Number(call, "height"),
            Width = Number(call, "width"),
            Steps = call.GetProperty("num_inference_steps").GetInt32(),
            GuidanceScale = call.GetProperty("guidance_scale").GetDouble(),
            ClipSkip = Number(call, "clip_skip") ?? 0,
            Seed = settings.GetProperty("seed").GetUInt64(),
            Truncate = true,
            Semantics = Semantics.Diffusers,
            Adapters = adapters,
            PromptsAt = PromptsAt(call),
            Controls = ControlNets(settings),
            Sparse = Sparse(settings),
            ImagePrompts = Pictures(settings),
            Source = settings.TryGetProperty("video", out var video) ? new(SourceKind.Video, Goldens.Input(video.GetString()!), call.GetProperty("strength").GetDouble()) : null,
        });
    }

    private static int? Number(JsonElement call, string key) => call.TryGetProperty(key, out var value) ? value.GetInt32() : null;

    private static ImagePrompt[] Pictures(JsonElement settings) => !settings.TryGetProperty("ip_adapter", out var adapter) ? []
        : [new(Goldens.Model(adapter.GetProperty("file").GetString()!), [Goldens.Input(adapter.GetProperty("image").GetString()!)], adapter.GetProperty("scale").GetDouble())];

    // "video-in reversed" is that folder from its end
    private static ControlNetInput[] ControlNets(JsonElement settings)
    {
        var call = settings.GetProperty("call");
        if (!settings.TryGetProperty("conditioning_frames", out var frames) || call.TryGetProperty("controlnet_frame_indices", out _))
            return [];
        string[] sources = [.. All(frames).Select(frame => frame.GetString()!)];
        double[] Numbers(string key, double otherwise) => call.TryGetProperty(key, out var value) ? [.. All(value).Select(number => number.GetDouble())] : [.. sources.Select(_ => otherwise)];
        var (scales, starts, ends) = (Numbers("controlnet_conditioning_scale", 1), Numbers("control_guidance_start", 0), Numbers("control_guidance_end", 1));
        return [.. sources.Select((source, i) => new ControlNetInput(Goldens.Model("controlnet"), Pictures(source), scales[i], starts[i], ends[i]))];
    }

    private static SparseControl? Sparse(JsonElement settings)
    {
        var call = settings.GetProperty("call");
        if (!call.TryGetProperty("controlnet_frame_indices", out var indices))
            return null;
        var source = settings.GetProperty("conditioning_frames").GetString()!;
        var images = indices.EnumerateArray().Select((index, i) => new SparseImage(index.GetInt32(), Path.Combine(Goldens.Input(source), $"{i:000}.png")));
        return new SparseControl(Goldens.Model(source.Replace("sparse-", "sparsectrl-")), [.. images],
            call.TryGetProperty("controlnet_conditioning_scale", out var scale) ? scale.GetDouble() : 1);
    }

    private static string Pictures(string source)
    {
        if (source.Split(' ') is not [var folder, "reversed"])
            return Goldens.Input(source);
        var reversed = Directory.CreateTempSubdirectory("animatediff-reversed-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(reversed, recursive: true);
        string[] files = [.. Directory.EnumerateFiles(Goldens.Input(folder)).OrderDescending()];
        foreach (var (i, file) in files.Index())
            File.Copy(file, Path.Combine(reversed, $"{i:000}.png"));
        return reversed;
    }

    private static JsonElement[] All(JsonElement value) => value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];

    private static string[] Texts(JsonElement call, string key) => !call.TryGetProperty(key, out var value) ? [""]
        : value.ValueKind == JsonValueKind.Object ? [value.GetProperty("0").GetString()!]
        : value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(text => text.GetString()!)] : [value.GetString()!];

    private static PromptAt[] PromptsAt(JsonElement call) => call.GetProperty("prompt") is not { ValueKind: JsonValueKind.Object } travel ? []
        : [.. travel.EnumerateObject().Where(at => at.Name != "0").Select(at => new PromptAt(int.Parse(at.Name), at.Value.GetString()!))];

    private static Scheduler Sampler(JsonElement settings)
    {
        var scheduler = settings.GetProperty("scheduler");
        var config = new Dictionary<string, object?> { ["_class_name"] = scheduler.GetProperty("class").GetString() };
        foreach (var option in scheduler.EnumerateObject().Where(option => option.Name != "class"))
            config[option.Name] = option.Value;
        return Scheduler.FromConfigJson(JsonSerializer.Serialize(config),
            settings.GetProperty("call").GetProperty("num_inference_steps").GetInt32());
    }
}
