using AnimateDiff.Tests.Video;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Sampling;

/// <summary>What long clips are made from, read as it is needed, and the files they end in.</summary>
public sealed class LongSourceTests : IDisposable
{
    private const int Frames = 20;                                          // more than are read together
    private static readonly GenerationRequest Request = new("A painting of a squirrel eating a burger, 4k")
    {
        Frames = Frames,
        Steps = 2,
        Seed = 5,
        Height = 32,
        Width = 32,
        GuidanceScale = 1,
        Context = new(8, 2),
        InitialNoise = NoiseKind.PerFrame,                                  // the same whether or not it is drawn in parts
    };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(SourceKind.Video, 1)]
    [InlineData(SourceKind.Video, Frames)]
    [InlineData(SourceKind.Image, Frames)]
    public async Task A_source_read_in_parts_is_the_one_read_whole_bit_for_bit(SourceKind kind, int masks)
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        await VideoWriter.WriteAsync(_folder["video.webp"], Clips.Moving(Frames + 3, 40, 32), 8, "{}");
        await VideoWriter.WriteAsync(_folder["mask/"], Clips.Flat(masks, 32, 32), 8, "{}");
        foreach (var mask in (string?[])[null, _folder["mask"]])
        {
            var request = Request with { Source = new(kind, _folder["video.webp"], 0.6, mask), InitialNoise = null };
            Assert.Equal(await pipeline.NumbersAsync(request), await pipeline.NumbersAsync(request with { WorkFolder = _folder[$"work-{mask is null}"] }));
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData(AnnotatorKind.Canny)]
    [InlineData(AnnotatorKind.SoftEdges)]
    [InlineData(AnnotatorKind.Luminance)]
    public async Task Control_read_in_parts_is_the_one_read_whole_bit_for_bit(AnnotatorKind? annotator)
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        await VideoWriter.WriteAsync(_folder["control/"], Clips.Moving(Frames, 32, 32), 8, "{}");
        var request = Request with { Steps = 1, Controls = [new(Goldens.Model("controlnet"), _folder["control"]) { Annotator = annotator }] };
        Assert.Equal(await pipeline.NumbersAsync(request), await pipeline.NumbersAsync(request with { WorkFolder = _folder["work"] }));
        Assert.NotEqual(await pipeline.NumbersAsync(request with { Controls = [] }), await pipeline.NumbersAsync(request));
    }

    [Fact]
    public async Task Short_sources_of_long_clips_are_refused()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        await VideoWriter.WriteAsync(_folder["video/"], Clips.Moving(Frames, 32, 32), 8, "{}");
        await VideoWriter.WriteAsync(_folder["short/"], Clips.Moving(Frames - 1, 32, 32), 8, "{}");
        var request = Request with { WorkFolder = _folder["work"], Source = new(SourceKind.Video, _folder["video"], 0.6, _folder["short"]) };
        Assert.Contains("mask", (await Assert.ThrowsAsync<RequestException>(() => pipeline.GenerateAsync(request))).Message);
        request = Request with { WorkFolder = _folder["work"], Controls = [new(Goldens.Model("controlnet"), _folder["short"])] };
        Assert.Contains("19 pictures for 20 frames", (await Assert.ThrowsAsync<FileException>(() => pipeline.GenerateAsync(request))).Message);
    }

    /// <summary>Short, long and finished clips; the frames are those that are given to who asks for them, and no tensor stays.</summary>
    [Fact]
    public async Task A_file_has_the_frames_and_the_recipe_and_leaves_no_tensors()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var live = new List<long>();
        foreach (var (name, request) in ((string, GenerationRequest)[])
        [
            ("short.webp", Request with { Steps = 1, Frames = 3, Context = null }),
            ("long/", Request with { Steps = 1, WorkFolder = _folder["work"] }),
            ("finished.webp", Request with { Steps = 1, Frames = 3, Context = null, Finish = [new(Interpolate: 2)] }),
        ])
        {
            var expected = await pipeline.GenerateAsync(request with { WorkFolder = request.WorkFolder is null ? null : _folder["other"] });
            var made = await pipeline.GenerateFileAsync(request, _folder[name], 4, recipe => recipe with { Base = "somewhere" });
            live.Add(await pipeline.LiveTensorsAsync());
            var clip = await VideoReader.ReadAsync(_folder[name]);
            Assert.Equal(expected.Videos[0].Pixels.ToArray(), clip.Frames.Pixels.ToArray());
            Assert.Equal(made.Recipe.ToJson(), RecipeReader.Read(_folder[name]));
            Assert.Equal((expected.Recipe with { Base = "somewhere", Fps = 4 }).ToJson(), made.Recipe.ToJson());
            Assert.Equal(name == "finished.webp" ? 8 : name == "long/" ? null : 4, clip.Fps);
        }
        Assert.Equal(Enumerable.Repeat(live[0], 3), live);
        Assert.Contains("one prompt", (await Assert.ThrowsAsync<RequestException>(() => pipeline.GenerateFileAsync(Request with { Prompts = ["a", "b"] }, _folder["two.gif"], 8))).Message);
    }

    /// <summary>Stopped while frames are decoded and written, nothing is left but the work, which goes on.</summary>
    [Fact]
    public async Task A_run_interrupted_in_its_file_leaves_none_and_goes_on()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var request = Request with { Steps = 1, WorkFolder = _folder["work"] };
        using var stop = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pipeline.GenerateFileAsync(request with { DecodeChunk = 1 }, _folder["clip/"], 8, null, new Reports(step =>
        {
            if (step is { Stage: GenerationStage.Decode, Done: 12 })
                stop.Cancel();
        }), stop.Token));
        Assert.False(Directory.Exists(_folder["clip"]));
        Assert.NotEmpty(Directory.EnumerateFiles(_folder["work"]));

        var denoised = new List<int>();
        await pipeline.GenerateFileAsync(request, _folder["clip/"], 8, null, new Reports(step =>
        {
            if (step.Stage == GenerationStage.Denoise)
                denoised.Add(step.Done);
        }));
        Assert.DoesNotContain(0, denoised);                                 // not one window again
        Assert.Equal(Frames, (await VideoReader.ReadAsync(_folder["clip"])).Frames.Frames);
    }

    private sealed class Reports(Action<GenerationProgress> report) : IProgress<GenerationProgress>
    {
        public void Report(GenerationProgress value) => report(value);
    }
}
