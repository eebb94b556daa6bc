using AnimateDiff.Noise;
using AnimateDiff.Sampling.Long;
using AnimateDiff.Tests.Text;

namespace AnimateDiff.Tests.Sampling;

/// <summary>Runs whose latents are in files.</summary>
public sealed class LongRunTests : IDisposable
{
    private const string Prompt = "A painting of a squirrel eating a burger, 4k";
    private static readonly GenerationRequest Request = new(Prompt)
    {
        Frames = 6,
        Steps = 3,
        Seed = 5,
        Height = 32,
        Width = 32,
        Context = new(4, 2),
        PromptsAt = [new(5, "worst quality, low quality, letterboxed")],
    };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("ddim")]
    [InlineData("dpmpp-2m")]
    [InlineData("heun")]
    [InlineData("pndm")]
    [InlineData("unipc")]
    public async Task Latents_in_files_are_those_in_memory_bit_for_bit(string scheduler)
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        foreach (var context in (FrameContext[])[new(4, 2), new(4, 1, Closed: true)])
        {
            var request = Request with { Scheduler = scheduler, Context = context };
            var inMemory = await pipeline.NumbersAsync(request);
            Assert.Equal(inMemory, await pipeline.NumbersAsync(request with { WorkFolder = _folder[$"{context}"] }));
        }
    }

    [Theory]
    [InlineData("euler-a", 4)]
    [InlineData("dpmpp-2m", 1)]
    [InlineData("unipc", 5)]
    public async Task An_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(string scheduler, int windows)
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var request = Request with { Scheduler = scheduler };
        var expected = await pipeline.GenerateAsync(request with { WorkFolder = _folder["whole"] });

        using var stop = new CancellationTokenSource();
        var reports = new List<GenerationProgress>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pipeline.GenerateAsync(request with { WorkFolder = _folder["cut"] }, new Reports(step =>
        {
            if (step.Stage == GenerationStage.Denoise && step.Done == windows)
                stop.Cancel();
        }), stop.Token));
        Assert.NotEmpty(Directory.EnumerateFiles(_folder["cut"]));
        Assert.Contains("another request", (await Assert.ThrowsAsync<RequestException>(() => pipeline.GenerateAsync(request with { WorkFolder = _folder["cut"], Seed = 6 }))).Message);

        var goneOn = await pipeline.GenerateAsync(request with { WorkFolder = _folder["cut"] }, new Reports(reports.Add));
        Assert.Equal(expected.Videos[0].Pixels.ToArray(), goneOn.Videos[0].Pixels.ToArray());
        if (windows > 2)
            Assert.True(reports.First(step => step.Stage == GenerationStage.Denoise).Done > 1);              // the first step's windows were not done again
        LongRun.Delete(_folder["cut"]);
        Assert.False(Directory.Exists(_folder["cut"]));
    }

    /// <summary>More frames than are held in memory: no work folder, frames in a file, and nothing left behind.</summary>
    [Fact]
    public async Task A_long_clip_is_in_temporary_files()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var request = Request with { Frames = 70, Steps = 1, Context = new(16, 2), GuidanceScale = 1, InitialNoise = NoiseKind.Shuffled };
        var made = await pipeline.GenerateAsync(request);
        var live = await pipeline.LiveTensorsAsync();
        var again = await pipeline.GenerateAsync(request);
        Assert.Equal(live, await pipeline.LiveTensorsAsync());
        Assert.Equal(70, made.Videos[0].Frames);
        Assert.Equal(made.Videos[0].Pixels.ToArray(), again.Videos[0].Pixels.ToArray());
        Assert.Equal(made.Videos[0].Pixels.Slice(69 * 32 * 32 * 3).ToArray(), made.Videos[0][69].ToArray());
        Assert.NotEqual(made.Videos[0][69].ToArray(), made.Videos[0][0].ToArray());
        Assert.Contains("FreeInit", (await Assert.ThrowsAsync<RequestException>(() => pipeline.GenerateAsync(request with { FreeInit = 2 }))).Message);
        await Assert.ThrowsAsync<RequestException>(() => pipeline.GenerateAsync(request with { Context = null, InitialNoise = null, Frames = 4, WorkFolder = _folder["x"] }));
    }

    /// <summary>A mask keeps its part of a video in every frame, in files too.</summary>
    [Fact]
    public async Task A_long_video_is_made_anew_where_the_mask_says()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var pictures = Enumerable.Range(0, 6).Select(i => (byte)(40 * i)).SelectMany(value => Enumerable.Repeat(value, 32 * 32 * 3)).ToArray();
        await AnimateDiff.Video.VideoWriter.WriteAsync(_folder["video/"], new(6, 32, 32, pictures), 8, "{}", cancellationToken: TestContext.Current.CancellationToken);
        await AnimateDiff.Video.VideoWriter.WriteAsync(_folder["mask.png"], new(1, 32, 32, [.. Enumerable.Range(0, 32 * 32).SelectMany(i => Enumerable.Repeat((byte)(i % 32 < 16 ? 0 : 255), 3))]), 8, "{}",
            cancellationToken: TestContext.Current.CancellationToken);
        var request = Request with { Source = new(SourceKind.Video, _folder["video"], 0.7, _folder["mask.png"]) };
        Assert.Equal(await pipeline.NumbersAsync(request), await pipeline.NumbersAsync(request with { WorkFolder = _folder["work"] }));
    }

    private sealed class Reports(Action<GenerationProgress> report) : IProgress<GenerationProgress>
    {
        public void Report(GenerationProgress value) => report(value);
    }
}
