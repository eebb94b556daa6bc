using AnimateDiff.Control;
using AnimateDiff.Control.Annotators;
using AnimateDiff.Noise;
using AnimateDiff.Tests.ImagePrompts;
using AnimateDiff.Tests.Text;
using AnimateDiff.Tests.Video;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Sampling;

/// <summary>Strengths as curves, and annotated pictures, on a whole pipeline.</summary>
public sealed class CurvedPipelineTests : IDisposable
{
    private static readonly GenerationRequest _plain = new("A painting of a squirrel eating a burger, 4k") { Frames = 4, Steps = 3, Seed = 1, Height = 32, Width = 32 };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Guidance_follows_frames_and_steps()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        Task<Tensor> With(string guidance) => pipeline.LatentsAsync(_plain with { GuidanceScale = Curve.Parse(guidance) });
        var usual = await With("7.5");
        Assert.Equal(0, Goldens.Difference(await With("0:7.5,3:7.5"), usual));
        Assert.Equal(0, Goldens.Difference(await With("0%:7.5,100%:7.5"), usual));
        Assert.Equal(0, Goldens.Difference(await With("0%:1,100%:0.5"), await With("1")));
        Assert.True(Goldens.Difference(await With("0:7.5,3:2"), usual) > 1e-2);
        var ending = await With("0%:7.5,100%:1");                                               // the last step computes the positive prompt alone
        Assert.InRange(Goldens.Difference(ending, await With("0%:7.5,100%:1.000001")), 0, 1e-4);
        Assert.True(Goldens.Difference(ending, usual) > 1e-2);
    }

    [Fact]
    public async Task Pictures_as_prompts_follow_frames_and_steps()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        Task<Tensor> With(Curve scale) => pipeline.LatentsAsync(_plain with { ImagePrompts = [new(IPAdapterFixtures.Plain, [IPAdapterFixtures.Pictures[0]], scale)] });
        var (none, usual) = (await pipeline.LatentsAsync(_plain), await With(0.7));
        Assert.Equal(0, Goldens.Difference(await With(Curve.Parse("0:0,3:0")), none));
        Assert.Equal(0, Goldens.Difference(await With(Curve.Parse("0:0.7,3:0.7")), usual));
        Assert.Equal(0, Goldens.Difference(await With(Curve.Parse("0%:0.7,100%:0.7")), usual));
        var some = await With(Curve.Parse("0:0.7,1:0.7,2:0"));
        Assert.True(Goldens.Difference(some, usual) > 1e-3 && Goldens.Difference(some, none) > 1e-3);
        var early = await With(Curve.Parse("0%:0.7,50%:0"));
        Assert.True(Goldens.Difference(early, usual) > 1e-3 && Goldens.Difference(early, none) > 1e-3);
    }

    [Fact]
    public async Task ControlNets_follow_frames_and_steps()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        await VideoWriter.WriteAsync(_folder["frames/"], Clips.Moving(4, 32, 32), 8, "{}");
        Task<Tensor> With(Curve scale, double end = 1) => pipeline.LatentsAsync(_plain with { Controls = [new(Goldens.Model("controlnet"), _folder["frames"], scale, 0, end)] });
        var (none, usual) = (await pipeline.LatentsAsync(_plain), await With(0.8));
        Assert.InRange(Goldens.Difference(await With(Curve.Parse("0:0.8,3:0.8")), usual), 0, 1e-4);
        Assert.InRange(Goldens.Difference(await With(Curve.Parse("0:0,3:0")), none), 0, 1e-5);
        Assert.Equal(0, Goldens.Difference(await With(Curve.Parse("0%:0.8,49%:0.8,50%:0")), await With(0.8, 0.34)));     // of three steps the first
        Assert.True(Goldens.Difference(await With(Curve.Parse("0:0.8,3:0")), usual) > 1e-3);
    }

    [Fact]
    public async Task A_network_follows_what_an_annotator_makes_of_pictures()
    {
        await VideoWriter.WriteAsync(_folder["frames/"], Clips.Moving(4, 32, 32), 8, "{}");
        var size = new ClipSize(1, 4, 32, 32);
        var input = ControlNetInput.Parse("canny/:0:1,3:0:0-0.5", $"canny={_folder["frames"]}");
        Assert.Equal(new ControlNetInput("canny/", _folder["frames"], Curve.Parse("0:1,3:0"), 0, 0.5) { Annotator = AnnotatorKind.Canny }, input);
        var seen = ControlPictures.Follow(input, size, inFile: false, CancellationToken.None);
        var edges = Annotator.Canny((await VideoReader.ReadAsync(_folder["frames"])).Frames);
        Assert.InRange(Goldens.Difference(ControlPictures.ToTensor(seen), edges.ToTensor().add(1).div(2)), 0, 1e-6);
        var image = SparseImage.Parse($"-1:soft-edges={Directory.EnumerateFiles(_folder["frames"], "*.png").Order().First()}");
        Assert.Equal(AnnotatorKind.SoftEdges, image.Annotator);
        var soft = ControlPictures.Sparse(new SparseControl("x", [image]), size, CancellationToken.None);
        Assert.True(Goldens.Difference(soft, ControlPictures.Sparse(new SparseControl("x", [image with { Annotator = null }]), size, CancellationToken.None)) > 0.1);

        Assert.Contains("did you mean canny", Assert.Throws<RequestException>(() => ControlNetInput.Parse("c", "cany=clip.mp4")).Message);
        _folder.Write("canny=clip.mp4", "x");
        Assert.Equal((null, _folder["canny=clip.mp4"]), AnnotatedPath.Parse(_folder["canny=clip.mp4"]));
        Assert.Equal((null, "a=b.png"), AnnotatedPath.Parse("a=b.png"));
    }

    /// <summary>Windows, guidance, adapters, pictures and control that all change: the recipe makes it again, nothing is left, and a plain request is as before.</summary>
    [Fact]
    public async Task Everything_together_is_made_again_and_leaves_no_trace()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        await VideoWriter.WriteAsync(_folder["frames/"], Clips.Moving(6, 32, 32), 8, "{}");
        var before = await pipeline.GenerateAsync(_plain);
        var request = _plain with
        {
            Frames = 6,
            Context = new(4, 2),
            GuidanceScale = Curve.Parse("0:9,5:4"),
            Adapters =
            [
                new(AdapterRole.DomainAdapter, Goldens.Model("domain-adapter.ckpt"), Curve.Parse("0%:1,60%:0.2")),
                new(AdapterRole.Lora, Goldens.Model("kohya-style.safetensors"), Curve.Parse("0:0,5:1")),
            ],
            Controls = [new(Goldens.Model("controlnet"), _folder["frames"], Curve.Parse("0:1,5:0")) { Annotator = AnnotatorKind.Scribble }],
            ImagePrompts = [new(IPAdapterFixtures.Plain, [IPAdapterFixtures.Pictures[0]], Curve.Parse("0:1,3:0"))],
        };
        var made = await pipeline.GenerateAsync(request);
        var live = await pipeline.LiveTensorsAsync();
        var recipe = Recipe.FromJson(made.Recipe.ToJson(), "recipe");
        Assert.Equal(made.Recipe.ToJson(), recipe.ToJson());
        Assert.Equal(Pixels(made), Pixels(await pipeline.GenerateAsync(recipe.ToRequest())));
        Assert.Equal(live, await pipeline.LiveTensorsAsync());
        Assert.NotEqual(Pixels(made), Pixels(await pipeline.GenerateAsync(request with { Adapters = [request.Adapters[0]] })));
        Assert.NotEqual(Pixels(made), Pixels(await pipeline.GenerateAsync(request with { Adapters = [request.Adapters[0] with { Scale = 1 }, request.Adapters[1]] })));
        Assert.Equal(Pixels(before), Pixels(await pipeline.GenerateAsync(_plain)));
    }

    private static byte[] Pixels(Generated generated) => generated.Videos[0].Pixels.ToArray();
}
