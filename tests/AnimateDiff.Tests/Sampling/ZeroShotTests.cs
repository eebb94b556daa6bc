using AnimateDiff.Control;
using AnimateDiff.Noise;
using AnimateDiff.Sampling;
using AnimateDiff.Tests.Text;
using AnimateDiff.Tests.Video;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Sampling;

/// <summary>Text2Video-Zero on the reference model.</summary>
public sealed class ZeroShotTests
{
    private static readonly GenerationRequest _request = new("A painting of a squirrel eating a burger, 4k")
    {
        Method = GenerationMethod.Text2VideoZero,
        Frames = 3,
        Steps = 4,
        Seed = 5,
        Width = 32,
        Height = 32,
    };

    /// <summary>A whole run against diffusers' pipeline, on the noise schedule of the base model.</summary>
    [Fact]
    public async Task Latents_equal_those_of_diffusers()
    {
        var settings = ReferenceModels.Settings("text2video-zero");
        var strength = settings.GetProperty("motion_field_strength");
        var request = new GenerationRequest(settings.GetProperty("prompt").GetString()!)
        {
            Method = GenerationMethod.Text2VideoZero,
            NegativePrompts = [settings.GetProperty("negative").GetString()!],
            Seed = settings.GetProperty("seed").GetUInt64(),
            Frames = settings.GetProperty("video_length").GetInt32(),
            Steps = settings.GetProperty("steps").GetInt32(),
            GuidanceScale = settings.GetProperty("guidance").GetDouble(),
            ZeroShot = new() { X = strength[0].GetDouble(), Y = strength[1].GetDouble(), T0 = settings.GetProperty("t0").GetInt32(), T1 = settings.GetProperty("t1").GetInt32() },
        };
        using var pipeline = await LoadAsync();
        var recipe = await pipeline.DescribeAsync(request);
        var (latents, frames) = await pipeline.GenerateTensorsAsync(request, Scheduler.Create("ddim", recipe.SchedulerOptions, request.Steps));
        using var reference = Goldens.Case("text2video-zero");
        var expected = reference["latents"].Read();                                             // [F, 4, h, w]
        Assert.InRange(Goldens.Difference(latents[0].transpose(0, 1), expected) / expected.std().item<float>(), 0, 1e-4);
        latents.Dispose();
        frames.Dispose();
    }

    /// <summary>The shift is the published one: a field of 512×512, sampled at the nearest latent pixel, mirrored at the border.</summary>
    [Theory]
    [InlineData(8, 8, 12, 6)]
    [InlineData(64, 64, 84, -36)]
    [InlineData(7, 5, -40, 100)]
    [InlineData(16, 8, 700, -900)]
    [InlineData(8, 8, 0, 0)]
    public void A_shift_is_the_published_warp(int height, int width, double x, double y)
    {
        using var scope = NewDisposeScope();
        using var generator = InitialLatents.Seeded(1);
        var latents = InitialLatents.Draw(generator, 1, 1, height, width, 1);
        var places = meshgrid([arange(512, ScalarType.Float64), arange(512, ScalarType.Float64)], "ij");
        var field = stack([(places[1] + x) / 512, (places[0] + y) / 512]).unsqueeze(0) * 2 - 1;  // [1, 2, 512, 512]
        var grid = nn.functional.interpolate(field, [height, width], mode: InterpolationMode.Bilinear, align_corners: false).permute(0, 2, 3, 1);
        var expected = nn.functional.grid_sample(latents[0].transpose(0, 1).to(ScalarType.Float64), grid, GridSampleMode.Nearest, GridSamplePaddingMode.Reflection, align_corners: false);
        Assert.Equal(0, Goldens.Difference(ZeroShotVideo.Shift(latents, x, y)[0].transpose(0, 1), expected));
    }

    [Fact]
    public void A_picture_moves_to_the_left_and_up()
    {
        using var scope = NewDisposeScope();
        var picture = arange(16, ScalarType.Float32).view(1, 1, 1, 4, 4);
        var shifted = ZeroShotVideo.Shift(picture, 128, 256);                                   // one of four places, and two
        Assert.Equal([9, 10, 11, 11, 13, 14, 15, 15, 13, 14, 15, 15, 9, 10, 11, 11], shifted.contiguous().data<float>());
    }

    /// <summary>The first frame sees itself alone, so that it is the picture that the base model makes.</summary>
    [Fact]
    public async Task The_first_frame_is_the_image_models_picture_and_the_others_are_not()
    {
        using var pipeline = await LoadAsync();
        foreach (var sampler in new[] { "ddim", "euler", "heun" })
        {
            var request = _request with { Scheduler = sampler, Width = 64, Height = 64 };       // smaller ones multiply roundings
            var recipe = await pipeline.DescribeAsync(request);
            var scheduler = Scheduler.Create(sampler, recipe.SchedulerOptions, request.Steps);
            var (clip, frames) = await pipeline.GenerateTensorsAsync(request, scheduler);
            var (picture, frame) = await pipeline.GenerateTensorsAsync(request with { Method = null, Frames = 1 }, scheduler);
            Assert.Equal([1, 4, 3, 8, 8], clip.shape);
            Assert.InRange(Goldens.Difference(clip.narrow(2, 0, 1), picture), 0, 1e-4);
            Assert.True(Goldens.Difference(clip.narrow(2, 1, 1), picture) > 0.1);
            Assert.True(Goldens.Difference(clip.narrow(2, 2, 1), clip.narrow(2, 1, 1)) > 0.1);
            foreach (var tensor in new[] { clip, frames, picture, frame })
                tensor.Dispose();
        }
    }

    [Fact]
    public async Task Everything_is_in_the_recipe_and_nothing_stays()
    {
        using var pipeline = await LoadAsync();
        var picture = _request with { Method = null, Frames = 1 };
        var before = await pipeline.GenerateAsync(picture);
        var made = await pipeline.GenerateAsync(_request with { ZeroShot = new() { X = -100 } });
        var live = await pipeline.LiveTensorsAsync();
        var recipe = Recipe.FromJson(made.Recipe.ToJson(), "recipe");
        Assert.Equal((GenerationMethod.Text2VideoZero, new ZeroShot { X = -100, T0 = 1, T1 = 2 }), (recipe.Method, recipe.ZeroShot));
        Assert.Equal("scaled_linear", recipe.SchedulerOptions["beta_schedule"]);
        Assert.Contains("\"text2video-zero\"", made.Recipe.ToJson());
        Assert.Equal(Pixels(made), Pixels(await pipeline.GenerateAsync(recipe.ToRequest())));
        Assert.NotEqual(Pixels(made), Pixels(await pipeline.GenerateAsync(recipe.ToRequest() with { ZeroShot = new() { X = -100, T0 = 0, T1 = 2 } })));
        Assert.NotEqual(Pixels(made), Pixels(await pipeline.GenerateAsync(recipe.ToRequest() with { ZeroShot = new() { X = 100 } })));

        await pipeline.GenerateAsync(_request with { Hires = new(2, 0.5), PromptsAt = [new(2, "worst quality, low quality, letterboxed")], PerturbedAttention = PerturbedAttention.Parse("2"), Scheduler = "euler-a" });
        Assert.Equal(live, await pipeline.LiveTensorsAsync());
        var after = await pipeline.GenerateAsync(picture);
        Assert.Equal(Pixels(before), Pixels(after));
        Assert.Equal("linear", after.Recipe.SchedulerOptions["beta_schedule"]);
        Assert.DoesNotContain("\"zero_shot\"", after.Recipe.ToJson());
        Assert.DoesNotContain("\"method\"", after.Recipe.ToJson());
        Assert.Equal(ZeroShot.UsualFrames, (await pipeline.DescribeAsync(_request with { Frames = null })).Frames);
    }

    /// <summary>ControlNets have a picture for each frame, and their frames look at the first, too.</summary>
    [Fact]
    public async Task ControlNets_look_at_the_first_frame()
    {
        using var folder = new TempFolder();
        await VideoWriter.WriteAsync(folder["frames/"], Clips.Moving(3, 32, 32), 8, "{}");
        File.Delete(folder["frames/run.json"]);
        var request = _request with { Controls = [new(Goldens.Model("controlnet"), folder["frames"])] };
        using (var pipeline = await LoadAsync())
            Assert.NotEqual(Pixels(await pipeline.GenerateAsync(_request)), Pixels(await pipeline.GenerateAsync(request)));

        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var parts = PipelineParts.Load(new PipelineOptions { Base = Goldens.Model("nano-sd15") }, RecordedTokenizer.Load(), null, CancellationToken.None);
        parts.Apply(request);
        var size = parts.SizeOf(request);
        using var prompts = PromptTravel.Encode(parts.Prompts, request, size.Frames);
        size = size with { Width = 64, Height = 64 };
        var (sample, timestep) = (randn([1, 4, 3, 8, 8], generator: new Generator(1, CPU)), tensor([500L]));
        Tensor Mid(GenerationRequest asked, Tensor latents, long[]? frames) =>
            ControlRun.Start(asked, size, parts, prompts, first: 0, evaluations: 2, CancellationToken.None).At(latents, timestep, 0, frames)!.Mid;
        var together = Mid(request, sample, null);
        var apart = Mid(request with { Method = null }, sample, null);
        Assert.InRange(Goldens.Difference(together[0], apart[0]), 0, 1e-4);
        Assert.True(Goldens.Difference(together[2], apart[2]) > 1e-3);
        Assert.InRange(Goldens.Difference(Mid(request, sample.narrow(2, 0, 1), [0])[0], together[0]), 0, 1e-4);
    }

    [Theory]
    [InlineData("first of the clip", "context")]
    [InlineData("there is none", "free-noise")]
    [InlineData("filters the noises", "free-init")]
    [InlineData("--zero-motion", "motion-lora")]
    [InlineData("ControlNets go with it", "sparse")]
    [InlineData("to follow a video", "source")]
    [InlineData("leave out --noise", "noise")]
    [InlineData("--seed draws", "frame-seeds")]
    [InlineData("features of the first frame", "deep-cache")]
    [InlineData("ask for 2 or more", "one-frame")]
    [InlineData("513,12", "far")]
    [InlineData("44,47 of 4", "steps")]
    [InlineData("2,2 of 4", "order")]
    [InlineData("3 steps or more", "few-steps")]
    [InlineData("another method", "settings-alone")]
    public void What_does_not_go_with_it_is_refused(string reason, string asked)
    {
        var pictures = Goldens.Input("video-in");
        var request = asked switch
        {
            "context" => _request with { Context = new(2, 1) },
            "free-noise" => _request with { FreeNoise = new(2, 1) },
            "free-init" => _request with { FreeInit = 2 },
            "motion-lora" => _request with { Adapters = [new(AdapterRole.MotionLora, Goldens.Model("motionlora-zoom-in.ckpt"))] },
            "sparse" => _request with { Sparse = new(Goldens.Model("sparsectrl-rgb"), [new(0, Path.Combine(pictures, "000.png"))]) },
            "source" => _request with { Source = new(SourceKind.Video, pictures) },
            "noise" => _request with { InitialNoise = NoiseKind.Constant },
            "frame-seeds" => _request with { FrameSeeds = [new(1, 2)] },
            "deep-cache" => _request with { DeepCache = new(2) },
            "one-frame" => _request with { Frames = 1 },
            "far" => _request with { ZeroShot = new() { X = 513 } },
            "steps" => _request with { ZeroShot = new() { T0 = 44, T1 = 47 } },
            "order" => _request with { ZeroShot = new() { T0 = 2, T1 = 2 } },
            "few-steps" => _request with { Steps = 2 },
            _ => _request with { Method = null, ZeroShot = new() },
        };
        Assert.Contains(reason, Assert.Throws<RequestException>(request.Validate).Message);
    }

    [Theory]
    [InlineData(50, 44, 47)]
    [InlineData(25, 21, 23)]
    [InlineData(10, 7, 8)]
    [InlineData(3, 0, 1)]
    public void The_usual_steps_are_shares_of_all(int steps, int t0, int t1) => Assert.Equal(new ZeroShot { T0 = t0, T1 = t1 }, new ZeroShot().Settled(steps));

    private static Task<AnimateDiffPipeline> LoadAsync() => AnimateDiffPipeline.LoadAsync(new PipelineOptions { Base = Goldens.Model("nano-sd15") }, RecordedTokenizer.Load());

    private static byte[] Pixels(Generated generated) => generated.Videos[0].Pixels.ToArray();
}
