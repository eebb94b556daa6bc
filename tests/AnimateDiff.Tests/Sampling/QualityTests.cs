using AnimateDiff.Denoising;
using AnimateDiff.Noise;
using AnimateDiff.Sampling;
using AnimateDiff.Tests.Text;

namespace AnimateDiff.Tests.Sampling;

/// <summary>Requests with the options that make clips better or longer, on a whole pipeline.</summary>
public class QualityTests
{
    private static readonly GenerationRequest _plain = new("A painting of a squirrel eating a burger, 4k") { Frames = 4, Steps = 2, Seed = 1, Height = 32, Width = 32 };

    private static readonly GenerationRequest _everything = _plain with
    {
        Frames = 12,
        GuidanceRescale = 0.7,
        PerturbedAttention = new(2, ["mid", "up_blocks.1.*attn1"]),
        FreeU = new(0.9, 0.2, 1.2, 1.4),
        FreeInit = 2,
        Context = new(8, 4, Closed: true),
        InitialNoise = NoiseKind.Repeated,
    };

    [Fact]
    public async Task Options_change_what_is_made_and_leave_no_trace()
    {
        using var pipeline = await NanoPipeline.LoadAsync("motion-v2.safetensors");
        var before = await PixelsAsync(pipeline, _plain);
        GenerationRequest[] changed =
        [
            _plain with { GuidanceRescale = 0.7 },
            _plain with { PerturbedAttention = PerturbedAttention.Parse("3") },
            _plain with { PerturbedAttention = PerturbedAttention.Parse("3"), GuidanceScale = 1 },
            _plain with { FreeU = new(0.9, 0.2, 1.2, 1.4) },
            _plain with { FreeInit = 2 },
            _plain with { FreeNoise = new(2, 1) },
            _plain with { Context = new(2, 1) },
            _plain with { Context = new(4, 2, Closed: true) },
            _plain with { InitialNoise = NoiseKind.Constant },
        ];
        var made = new HashSet<string> { before };
        foreach (var request in changed)
            Assert.True(made.Add(await PixelsAsync(pipeline, request)), request.ToString());
        Assert.Equal(before, await PixelsAsync(pipeline, _plain));
    }

    [Fact]
    public async Task Windows_of_a_whole_clip_and_factors_of_one_change_nothing()
    {
        using var pipeline = await NanoPipeline.LoadAsync("motion-v2.safetensors");
        var plain = await pipeline.LatentsAsync(_plain);
        foreach (var request in new[] { _plain with { Context = new(16, 4) }, _plain with { FreeNoise = new(16, 4) }, _plain with { FreeU = new(1, 1, 1, 1) }, _plain with { PerturbedAttention = new(0, ["mid"]) } })
            Assert.InRange(Goldens.Difference(await pipeline.LatentsAsync(request), plain), 0, 1e-4);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Clips_may_be_longer_than_the_motion_module(bool context)
    {
        using var pipeline = await NanoPipeline.LoadAsync("motion-v2.safetensors");
        var request = _plain with { Frames = 40, Steps = 1, Context = context ? new(16, 4) : null, FreeNoise = context ? null : new(16, 8) };
        var clip = await pipeline.GenerateAsync(request);
        Assert.Equal(40, clip.Videos[0].Frames);
        var error = await Assert.ThrowsAsync<RequestException>(() => pipeline.GenerateAsync(request with { Context = null, FreeNoise = null }));
        Assert.Contains("--context", error.Message);
        error = await Assert.ThrowsAsync<RequestException>(() => pipeline.GenerateAsync(request with { Context = context ? new(33, 4) : null, FreeNoise = context ? null : new(33, 8) }));
        Assert.Contains("2 to 32", error.Message);
    }

    [Fact]
    public async Task Everything_is_in_the_recipe()
    {
        using var pipeline = await NanoPipeline.LoadAsync("motion-v2.safetensors");
        var recipe = await pipeline.DescribeAsync(_everything);
        var again = Recipe.FromJson(recipe.ToJson(), "").ToRequest();
        Assert.Equal((_everything.GuidanceRescale, _everything.FreeU, _everything.FreeInit, _everything.Context, _everything.InitialNoise),
            (again.GuidanceRescale, again.FreeU, again.FreeInit, again.Context, again.InitialNoise));
        Assert.Equal(2, again.PerturbedAttention!.Scale);
        Assert.Equal(_everything.PerturbedAttention!.Layers, again.PerturbedAttention.Layers);
        recipe = await pipeline.DescribeAsync(_plain with { FreeNoise = new(8, 4) });
        Assert.Equal(new FreeNoise(8, 4), Recipe.FromJson(recipe.ToJson(), "").ToRequest().FreeNoise);
    }

    [Fact]
    public async Task Repeated_generations_leave_no_tensors()
    {
        using var pipeline = await NanoPipeline.LoadAsync("motion-v2.safetensors");
        var live = new List<long>();
        foreach (var request in new[] { _everything, _plain, _everything, _everything, _plain with { FreeNoise = new(2, 1) }, _everything with { GuidanceScale = 1, Scheduler = "euler" } })
        {
            await pipeline.GenerateAsync(request);
            live.Add(await pipeline.LiveTensorsAsync());
        }
        Assert.Equal(Enumerable.Repeat(live[0], live.Count), live);
    }

    [Fact]
    public async Task Layers_that_are_not_there_are_named()
    {
        using var pipeline = await NanoPipeline.LoadAsync("motion-v2.safetensors");
        var error = await Assert.ThrowsAsync<RequestException>(() => pipeline.GenerateAsync(_plain with { PerturbedAttention = new(3, ["mid", "top"]) }));
        Assert.Contains("the layers top,", error.Message);
    }

    /// <summary>What FreeInit keeps is the coarse shape: of an empty clip, that of the noise it began with.</summary>
    [Theory]
    [InlineData("ddim")]
    [InlineData("euler")]
    public void FreeInit_keeps_low_frequencies_and_the_samplers_scale(string sampler)
    {
        using var scope = NewDisposeScope();
        var scheduler = Scheduler.Create(sampler, null, 5);
        using var generator = InitialLatents.Seeded(1);
        var start = InitialLatents.Draw(generator, 1, 16, 32, 32, scheduler.InitNoiseSigma);
        var next = new FreeInit(scheduler, start).Next(zeros_like(start), generator);
        Assert.Equal(1, (next.std() / start.std()).item<float>(), 0.05);
        Assert.Equal(0, Goldens.Difference(next.mean([2, 3, 4]) / start.mean([2, 3, 4]), ones(1, 4)), 0.01); // the lowest frequency stays
        Assert.InRange(Correlation(next, start), -0.02, 0.05);                                               // nearly all others are new
    }

    [Fact]
    public void A_whole_rescale_gives_each_clip_the_deviation_of_its_prompt()
    {
        using var scope = NewDisposeScope();
        var (guided, positive) = (randn([2, 4, 3, 5, 5], generator: new Generator(1, CPU)) * tensor(new[] { 3f, 9f }).view(2, 1, 1, 1, 1), randn([2, 4, 3, 5, 5], generator: new Generator(2, CPU)));
        var scaled = Guidance.Rescale(guided, positive, 1);
        for (var clip = 0; clip < 2; clip++)
            Assert.Equal(positive[clip].std().item<float>(), scaled[clip].std().item<float>(), 1e-5);
        Assert.Equal(0, Goldens.Difference(Guidance.Rescale(guided, positive, 0.25), 0.25 * scaled + 0.75 * guided), 1e-5);
    }

    private static async Task<string> PixelsAsync(AnimateDiffPipeline pipeline, GenerationRequest request)
        => Convert.ToHexString((await pipeline.GenerateAsync(request)).Videos[0].Pixels.ToArray());

    private static float Correlation(Tensor x, Tensor y) => ((x - x.mean()) * (y - y.mean())).mean().item<float>() / (x.std() * y.std()).item<float>();
}
