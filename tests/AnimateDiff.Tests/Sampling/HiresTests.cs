using AnimateDiff.Control;
using AnimateDiff.Noise;
using AnimateDiff.Sampling;
using AnimateDiff.Tests.Text;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Sampling;

public sealed class HiresTests : IDisposable
{
    private static readonly PipelineOptions Models = new() { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v2.safetensors") };
    private static readonly GenerationRequest Squirrel = new("A painting of a squirrel eating a burger, 4k") { Frames = 3, Steps = 4, Seed = 9, Height = 32, Width = 48 };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_second_run_is_larger_different_in_every_mode_and_the_same_again()
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Models, RecordedTokenizer.Load());
        var made = new HashSet<string>();
        foreach (var hires in new Hires[] { new(1.5), new(1.5, 0.25), new(1.5, 0.5, 8), new(1.5, Mode: HiresMode.Latent), new(1.5, Mode: HiresMode.LatentNearest) })
        {
            var request = Squirrel with { Hires = hires };
            var clip = (await pipeline.GenerateAsync(request)).Videos[0];
            Assert.Equal((3, 48, 72), (clip.Frames, clip.Height, clip.Width));
            Assert.True(made.Add(Convert.ToHexString(clip.Pixels.Span)), hires.ToString());

            var again = Recipe.FromJson((await pipeline.DescribeAsync(request)).ToJson(), "").ToRequest();
            Assert.Equal((32, 48, hires), (again.Height, again.Width, again.Hires));
            Assert.Equal(clip.Pixels.ToArray(), (await pipeline.GenerateAsync(again)).Videos[0].Pixels.ToArray());
        }
    }

    /// <summary>Two samplers of one evaluation a step, one that draws, one of two evaluations.</summary>
    [Theory]
    [InlineData("ddim")]
    [InlineData("euler-a")]
    [InlineData("heun")]
    public async Task The_smaller_the_strength_the_closer_to_the_first_run(string sampler)
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Models, RecordedTokenizer.Load());
        var scheduler = Scheduler.Create(sampler, null, 4);
        var request = Squirrel with { Scheduler = sampler };
        var (first, firstFrames) = await pipeline.GenerateTensorsAsync(request, scheduler);
        firstFrames.Dispose();
        var large = nn.functional.interpolate(first.transpose(1, 2).flatten(0, 1), size: [8, 12], mode: InterpolationMode.Bicubic, align_corners: false);
        var distances = new List<double>();
        foreach (var strength in new[] { 0.25, 0.5, 1 })
        {
            var (latents, frames) = await pipeline.GenerateTensorsAsync(request with { Hires = new(2, strength, Mode: HiresMode.Latent) }, scheduler);
            Assert.Equal([1, 4, 3, 8, 12], latents.shape);
            distances.Add((latents.transpose(1, 2).flatten(0, 1) - large).norm().item<float>());
            latents.Dispose();
            frames.Dispose();
        }
        first.Dispose();
        Assert.Equal(distances.Order(), distances);
        Assert.InRange(distances[0], 1e-3, distances[2] * 0.8);
    }

    /// <summary>With everything that a second run has to make anew at its own size.</summary>
    [Fact]
    public async Task It_goes_with_windows_sources_masks_and_repetition()
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Models, RecordedTokenizer.Load());
        var mask = _folder["mask.png"];
        var white = new byte[64 * 96 * 3];
        Array.Fill<byte>(white, 255, 0, white.Length / 2);
        await VideoWriter.WriteAsync(mask, new VideoFrames(1, 64, 96, white), 8, "{}");
        var hires = Squirrel with { Hires = new(2, 0.75) };
        GenerationRequest[] requests =
        [
            hires with { Frames = 6, Context = new(4, 2, Closed: true), PromptsAt = [new(3, "A painting of a squirrel eating a burger, 4k")] },
            hires with { FreeInit = 2, InitialNoise = NoiseKind.Constant, PerturbedAttention = new(2, ["mid"]), GuidanceRescale = 0.7 },
            hires with { Frames = 5, FreeNoise = new(3, 2), FreeU = new(0.9, 0.2, 1.2, 1.4) },
            hires with { Source = new(SourceKind.Video, Goldens.Input("video-in"), 0.5) },
            hires with { Source = new(SourceKind.Video, Goldens.Input("video-in"), 0.5, mask) },
            hires with { Source = new(SourceKind.Image, Path.Combine(Goldens.Input("video-in"), "003.png"), 0.8, mask), Scheduler = "heun" },
        ];
        foreach (var request in requests)
        {
            var clip = (await pipeline.GenerateAsync(request)).Videos[0];
            Assert.Equal((request.Frames, 64, 96), (clip.Frames, clip.Height, clip.Width));
            for (var frame = 0; frame < clip.Frames; frame++)
                Assert.InRange(clip[frame].ToArray().Distinct().Count(), 20, 256);
        }
        var masked = (await pipeline.GenerateAsync(requests[4])).Videos[0];
        var other = (await pipeline.GenerateAsync(requests[4] with { Seed = 10 })).Videos[0];
        Assert.InRange(Change(masked, other, 60), 0, Change(masked, other, 4) / 3);                          // rows far below the mask are the source's, whatever the seed
        Assert.Equal(0, await pipeline.LiveTensorsAsync() - await LiveAfterAsync(pipeline, hires));
    }

    [Fact]
    public async Task Control_is_at_the_size_of_the_second_run()
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Models, RecordedTokenizer.Load());
        var request = Squirrel with { Hires = new(2), Controls = [new(Goldens.Model("controlnet"), Path.Combine(Goldens.Input("video-in"), "000.png"))] };
        var (with, without) = ((await pipeline.GenerateAsync(request)).Videos[0], (await pipeline.GenerateAsync(request with { Controls = [] })).Videos[0]);
        Assert.Equal((64, 96), (with.Height, with.Width));
        Assert.NotEqual(with.Pixels.ToArray(), without.Pixels.ToArray());
    }

    [Theory]
    [InlineData("2", 2.0, 0.5, null)]
    [InlineData("1.5:0.6", 1.5, 0.6, null)]
    [InlineData("2:0.4:20", 2.0, 0.4, 20)]
    public void It_is_read_from_text(string text, double scale, double strength, int? steps) => Assert.Equal(new Hires(scale, strength, steps), Hires.Parse(text));

    [Theory]
    [InlineData("two")]
    [InlineData("2:")]
    [InlineData("2:0.5:x")]
    [InlineData("2:0.5:10:1")]
    public void Other_texts_are_refused(string text) => Assert.Contains(text, Assert.Throws<RequestException>(() => Hires.Parse(text)).Message);

    [Theory]
    [InlineData(0.5, 0.5, null)]
    [InlineData(9, 0.5, null)]
    [InlineData(double.NaN, 0.5, null)]
    [InlineData(2, 0, null)]
    [InlineData(2, 1.1, null)]
    [InlineData(2, 0.1, null)]
    [InlineData(2, 0.5, 0)]
    public void Impossible_settings_are_refused(double scale, double strength, int? steps) =>
        Assert.Throws<RequestException>((Squirrel with { Hires = new(scale, strength, steps) }).Validate);

    [Theory]
    [InlineData(1.5, 72, 48)]
    [InlineData(1.3, 64, 40)]
    [InlineData(1, 48, 32)]
    public void Sizes_are_rounded_to_whole_latents(double scale, int width, int height) =>
        Assert.Equal(new ClipSize(1, 2, height, width), new Hires(scale).SizeOf(new ClipSize(1, 2, 32, 48), 8));

    private static double Change(VideoFrames a, VideoFrames b, int row) =>
        Enumerable.Range(row * a.Width * 3, a.Width * 3).Average(i => (double)Math.Abs(a[0][i] - b[0][i]));

    private static async Task<long> LiveAfterAsync(AnimateDiffPipeline pipeline, GenerationRequest request)
    {
        await pipeline.GenerateAsync(request);
        return await pipeline.LiveTensorsAsync();
    }
}
