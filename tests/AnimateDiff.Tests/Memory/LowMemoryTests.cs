using AnimateDiff.Noise;
using AnimateDiff.Tests.ImagePrompts;
using AnimateDiff.Tests.Parity;
using AnimateDiff.Tests.Text;
using AnimateDiff.Tests.Video;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Memory;

/// <summary>With little memory the same clips are made, of models that come and go, halves in turn, and images and places one by one.</summary>
public sealed class LowMemoryTests : IDisposable
{
    private static readonly PipelineOptions Models = new() { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v2.safetensors") };
    private static readonly PipelineOptions Low = Models with { Memory = MemoryUse.Low, PieceSize = 500 };
    private static readonly GenerationRequest Squirrel = new("A painting of a squirrel eating a burger, 4k") { Frames = 4, Steps = 2, Seed = 5, Height = 32, Width = 40 };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("v1", true)]                                                                                 // resnets that look across frames stay whole
    [InlineData("v2", true)]
    [InlineData("v3", true)]
    [InlineData("v3", false)]
    public void The_UNet_says_the_same_piece_by_piece(string motion, bool official)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet(motion, official);
        using var generator = new Generator(3);
        var (sample, timestep) = (randn([2, 4, 5, 16, 12], generator: generator), tensor([500L]));
        foreach (var rows in new[] { 2, 10 })
        {
            using var text = unet.Prepare(randn([rows, 77, unet.Config.CrossAttentionDim], generator: generator));
            unet.PieceSize = null;
            var whole = unet.call(sample, timestep, text);
            foreach (var size in new[] { 1, 3000 })
            {
                unet.PieceSize = size;
                Assert.InRange(Goldens.Difference(unet.call(sample, timestep, text), whole), 0, 1e-3);
            }
        }
    }

    [Fact]
    public async Task Every_kind_of_request_makes_the_same_clip()
    {
        await VideoWriter.WriteAsync(_folder["frames/"], Clips.Moving(4, 40, 32), 8, "{}");
        Adapter Pan(string scale) => new(AdapterRole.MotionLora, Goldens.Model("motionlora-pan-left.ckpt"), Curve.Parse(scale));
        ImagePrompt Picture(string scale) => new(IPAdapterFixtures.Plain, [IPAdapterFixtures.Pictures[0]], Curve.Parse(scale));
        GenerationRequest[] requests =
        [
            Squirrel with { Prompts = [Squirrel.Prompts[0], "worst quality, low quality, letterboxed"] },
            Squirrel with { Adapters = [Pan("0:0,3:1")], ImagePrompts = [Picture("0:0.9,3:0.2")], FreeU = new(0.9, 0.2, 1.2, 1.4) },
            Squirrel with { Adapters = [Pan("0%:0.2,100%:0.9")], Source = new(SourceKind.Video, Goldens.Input("video-in"), 0.6), Frames = null },
            Squirrel with
            {
                Controls = [new(Goldens.Model("controlnet"), _folder["frames"], 0.8)],
                PerturbedAttention = new(2, PerturbedAttention.UsualLayers),
                PromptsAt = [new(3, "worst quality, low quality, letterboxed")],
                Context = new(3, 1),
                ImagePrompts = [Picture("0.7")],
            },
            Squirrel with { FreeNoise = new(3, 2), Hires = new(1.5), GuidanceScale = 1 },
        ];
        using var normal = await AnimateDiffPipeline.LoadAsync(Models, RecordedTokenizer.Load());
        using var low = await AnimateDiffPipeline.LoadAsync(Low, RecordedTokenizer.Load());
        foreach (var request in requests)
        {
            var (latents, frames) = await TensorsAsync(normal, request);
            var (sameLatents, sameFrames) = await TensorsAsync(low, request);
            Assert.InRange(Goldens.Difference(sameLatents, latents), 0, 2e-3);
            Assert.InRange(Goldens.Difference(sameFrames, frames), 0, 2e-3);
        }
    }

    [Fact]
    public async Task Models_are_held_by_a_stage_alone_and_a_recipe_says_so()
    {
        using var normal = await AnimateDiffPipeline.LoadAsync(Models, RecordedTokenizer.Load());
        using var low = await AnimateDiffPipeline.LoadAsync(Low with { DType = ScalarType.BFloat16 }, RecordedTokenizer.Load());
        var request = Squirrel with { Adapters = [new(AdapterRole.MotionLora, Goldens.Model("motionlora-pan-left.ckpt"), 0.7)] };
        var made = await low.GenerateAsync(request);
        var live = await low.LiveTensorsAsync();
        Assert.Equal(made.Videos[0].Pixels.ToArray(), (await low.GenerateAsync(request)).Videos[0].Pixels.ToArray());
        Assert.InRange(await low.LiveTensorsAsync() - live, 0, 10);                                          // a few of each load are nobody's; weights are hundreds

        var options = Recipe.FromJson(made.Recipe.ToJson(), "").ToOptions();
        Assert.Equal((MemoryUse.Low, ScalarType.BFloat16), (options.Memory, options.DType));
        Assert.DoesNotContain("\"memory\":", (await normal.DescribeAsync(request)).ToJson());
    }

    [Fact]
    public async Task A_request_that_fails_leaves_the_next_one_as_it_would_be()
    {
        using var low = await AnimateDiffPipeline.LoadAsync(Low, RecordedTokenizer.Load());
        var before = (await low.GenerateAsync(Squirrel)).Videos[0].Pixels.ToArray();
        var adapted = Squirrel with { Adapters = [new(AdapterRole.MotionLora, Goldens.Model("motionlora-pan-left.ckpt"), 1)] };
        await Assert.ThrowsAsync<FileException>(() => low.GenerateAsync(adapted with { Controls = [new(Goldens.Model("controlnet"), _folder["none.png"])] }));
        Assert.NotEqual(before, (await low.GenerateAsync(adapted)).Videos[0].Pixels.ToArray());
        Assert.Equal(before, (await low.GenerateAsync(Squirrel)).Videos[0].Pixels.ToArray());
    }

    private static Task<(Tensor Latents, Tensor Frames)> TensorsAsync(AnimateDiffPipeline pipeline, GenerationRequest request)
        => pipeline.GenerateTensorsAsync(request, Scheduler.Create(request.Scheduler, null, request.Steps));
}
