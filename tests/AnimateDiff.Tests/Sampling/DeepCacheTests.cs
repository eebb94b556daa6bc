using AnimateDiff.Control;
using AnimateDiff.Denoising;
using AnimateDiff.Estimates;
using AnimateDiff.Profiling;
using AnimateDiff.Tests.Parity;
using AnimateDiff.Tests.Video;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Sampling;

/// <summary>Deep-feature caching and guidance in an interval, on the reference UNet and on a whole pipeline.</summary>
public sealed class DeepCacheTests : IDisposable
{
    private static readonly GenerationRequest _plain = new("A painting of a squirrel eating a burger, 4k") { Frames = 2, Steps = 5, Seed = 1, Height = 32, Width = 32 };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>What the outer layers make of features of the same input is what the whole UNet makes, wherever they begin; of another input it is not.</summary>
    [Theory]
    [InlineData(false, null)]
    [InlineData(true, null)]
    [InlineData(true, 2000L)]
    public void Outer_layers_go_on_where_a_whole_call_was(bool controlled, long? pieces)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet("v2", official: true);
        unet.PieceSize = pieces;
        unet.modules().OfType<UpBlock>().First().SkipFilter = new(1.2, 0.9);
        var config = unet.Config;
        var (sample, other, timestep) = (randn([2, 4, 2, 8, 8]), randn([2, 4, 2, 8, 8]), tensor([500L]));
        using var text = unet.Prepare(randn([2, 7, config.CrossAttentionDim]));
        using var control = controlled ? Residuals(config, images: 4, size: 8) : null;
        unet.InView.Show(2, 2, null);
        var middles = 0;
        unet.modules().OfType<MidBlock>().Single().register_forward_hook((_, _, _, made) => { middles++; return made; });

        var (exact, moved) = (unet.Forward(sample, timestep, text, control), unet.Forward(other, timestep, text, control));
        var (skips, wrong) = (config.BlockOutChannels.Count * (config.LayersPerBlock + 1), new List<double>());
        foreach (var outer in new[] { 1, 2, config.LayersPerBlock + 1, config.LayersPerBlock + 2, skips - 1, skips })
        {
            using var deep = new DeepFeatures(outer);
            middles = 0;
            Assert.Equal(0, Goldens.Difference(unet.Forward(sample, timestep, text, control, deep), exact));
            Assert.Equal(0, Goldens.Difference(unet.Forward(sample, timestep, text, null, deep), exact));
            wrong.Add(Goldens.Difference(unet.Forward(other, timestep, text, null, deep), moved));
            Assert.Equal((1, 1), (middles, deep.WholeCalls));
        }
        Assert.All(wrong, difference => Assert.True(difference > 1e-4));
        using var again = new DeepFeatures(1);
        unet.Forward(sample, timestep, text, control, again);
        again.Clear();
        Assert.Equal(0, Goldens.Difference(unet.Forward(other, timestep, text, control, again), moved));
        Assert.Equal(2, again.WholeCalls);
    }

    [Fact]
    public async Task Every_Nth_step_is_a_whole_one()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var whole = await WorkAsync(pipeline, _plain with { Steps = 1 });
        var once = await WorkAsync(pipeline, _plain with { DeepCache = new(5) });                            // one whole step and four others
        var outer = (Calls: (once.Calls - whole.Calls) / 4, Flop: (once.Flop - whole.Flop) / 4);
        Assert.InRange(outer.Calls, 1, whole.Calls / 2);
        using var unet = UNetTestModels.UNet("v3");
        var cost = UNetCost.Of(unet.Config, unet.Motion, 4, 4, 2, inPieces: false, outer: 1);
        // what is estimated is what was counted
        Assert.Equal(cost.OuterFlops / cost.Flops, outer.Flop / whole.Flop, 0.01);
        foreach (var (interval, wholes) in new[] { (2, 3), (3, 2) })
            Assert.Equal(wholes * whole.Calls + (5 - wholes) * outer.Calls, (await WorkAsync(pipeline, _plain with { DeepCache = new(interval) })).Calls);
        // where guidance ends within an interval there is nothing to go on from
        Assert.Equal(3 * whole.Calls + 2 * outer.Calls, (await WorkAsync(pipeline, _plain with { DeepCache = new(3), GuidanceInterval = new(0, 0.4) })).Calls);
    }

    [Fact]
    public async Task Off_and_an_interval_of_one_are_the_exact_clip_and_others_are_not()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var exact = await pipeline.NumbersAsync(_plain);
        Assert.Equal(exact, await pipeline.NumbersAsync(_plain with { DeepCache = new(1) }));
        var cached = await pipeline.NumbersAsync(_plain with { DeepCache = new(3) });
        Assert.NotEqual(exact, cached);
        Assert.NotEqual(cached, await pipeline.NumbersAsync(_plain with { DeepCache = new(3, 2) }));
        Assert.Equal(cached, await pipeline.NumbersAsync(_plain with { DeepCache = new(3) }));
        Assert.Equal(exact, await pipeline.NumbersAsync(_plain));
    }

    [Fact]
    public async Task Outside_its_interval_guidance_is_not_computed()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var four = _plain with { Steps = 4 };
        var (all, half) = (await WorkAsync(pipeline, four), await WorkAsync(pipeline, four with { GuidanceInterval = new(0, 0.5) }));
        Assert.Equal(0.75, half.Flop / all.Flop, 1e-3);
        Assert.Equal(await pipeline.NumbersAsync(four with { GuidanceScale = Curve.Parse("0%:7.5,40%:7.5,41%:1") }), await pipeline.NumbersAsync(four with { GuidanceInterval = new(0, 0.5) }));
        Assert.Equal(await pipeline.NumbersAsync(four with { GuidanceScale = Curve.Parse("0%:1,30%:1,31%:7.5") }), await pipeline.NumbersAsync(four with { GuidanceInterval = new(0.25, 1) }));
        Assert.Equal(await pipeline.NumbersAsync(four), await pipeline.NumbersAsync(four with { GuidanceInterval = new(0, 1) }));
    }

    /// <summary>Runs that begin again, second runs, three branches, control, and halves that come and go.</summary>
    [Fact]
    public async Task With_everything_else_it_is_made_again_from_its_recipe_and_leaves_no_trace()
    {
        using var pipeline = await NanoPipeline.LoadAsync("motion-v3.ckpt");
        await VideoWriter.WriteAsync(_folder["frames/"], Clips.Moving(2, 32, 32), 8, "{}");
        var before = await pipeline.NumbersAsync(_plain);
        GenerationRequest[] requests =
        [
            _plain with { DeepCache = new(3, 1), GuidanceInterval = new(0.2, 0.6), PerturbedAttention = new(2, ["mid"]), FreeInit = 2 },
            _plain with { DeepCache = new(2), Controls = [new(Goldens.Model("controlnet"), _folder["frames"], 0.8)], Hires = new(1, 0.4) },
            _plain with { DeepCache = new(2), FreeNoise = new(2, 1), Scheduler = "heun", Steps = 3 },
        ];
        foreach (var request in requests)
        {
            var made = await pipeline.GenerateAsync(request);
            var live = await pipeline.LiveTensorsAsync();
            var recipe = Recipe.FromJson(made.Recipe.ToJson(), "recipe").ToRequest();
            Assert.Equal((request.DeepCache, request.GuidanceInterval), (recipe.DeepCache, recipe.GuidanceInterval));
            Assert.Equal(Pixels(made), Pixels(await pipeline.GenerateAsync(recipe)));
            Assert.Equal(live, await pipeline.LiveTensorsAsync());
            Assert.NotEqual(Pixels(made), Pixels(await pipeline.GenerateAsync(request with { DeepCache = null })));
            Assert.Equal(live, await pipeline.LiveTensorsAsync());
        }
        Assert.Equal(before, await pipeline.NumbersAsync(_plain));
    }

    [Fact]
    public async Task What_cannot_be_done_is_refused_with_the_reason()
    {
        Assert.Equal((new DeepCache(3), new DeepCache(3, 2), new GuidanceInterval(0, 0.8)), (DeepCache.Parse("3"), DeepCache.Parse("3:2"), GuidanceInterval.Parse("0-0.8")));
        foreach (var text in new[] { "", "x", "3:", "3:1:2", "-1" })
            Assert.Contains("INTERVAL:BRANCH", Assert.Throws<RequestException>(() => DeepCache.Parse(text)).Message);
        foreach (var text in new[] { "", "0.5", "0-x", "-0.5-1" })
            Assert.Contains("START-END", Assert.Throws<RequestException>(() => GuidanceInterval.Parse(text)).Message);
        (string, GenerationRequest)[] wrong =
        [
            ("0:0", _plain with { DeepCache = new(0) }),
            ("other frames in every step", _plain with { DeepCache = new(2), Context = new(2, 1) }),
            ("from 0.8 to 0.2", _plain with { GuidanceInterval = new(0.8, 0.2) }),
            ("from 0 to 2", _plain with { GuidanceInterval = new(0, 2) }),
            ("a guidance scale of 1 is none", _plain with { GuidanceInterval = new(0, 0.5), GuidanceScale = 1 }),
        ];
        foreach (var (reason, request) in wrong)
            Assert.Contains(reason, Assert.Throws<RequestException>(request.Validate).Message);
        (_plain with { DeepCache = new(1), Context = new(2, 1) }).Validate();
        using var pipeline = await NanoPipeline.LoadAsync();
        Assert.Contains("the branches 0 to ", (await Assert.ThrowsAsync<RequestException>(() => pipeline.GenerateAsync(_plain with { DeepCache = new(2, 99) }))).Message);
    }

    // Convolutions of the UNet, of which every layer has some, with the operations of all its layers.
    private static async Task<Work> WorkAsync(AnimateDiffPipeline pipeline, GenerationRequest request)
    {
        using var profile = pipeline.Measure();
        await pipeline.NumbersAsync(request);
        return profile.Denoising[Kind.Convolution] with { Flop = profile.Denoising.Values.Sum(work => work.Flop) };
    }

    private static byte[] Pixels(Generated made) => made.Videos[0].Pixels.ToArray();

    private static ControlResiduals Residuals(UNetConfig unet, long images, long size)
    {
        var (channels, down) = (unet.BlockOutChannels, new List<Tensor> { randn([images, unet.BlockOutChannels[0], size, size]) });
        for (var level = 0; level < channels.Count; level++)
        {
            for (var layer = 0; layer < unet.LayersPerBlock; layer++)
                down.Add(randn([images, channels[level], size, size]));
            if (level < channels.Count - 1)
                down.Add(randn([images, channels[level], size /= 2, size]));
        }
        return new ControlResiduals(down, randn([images, channels[^1], size, size]));
    }
}
