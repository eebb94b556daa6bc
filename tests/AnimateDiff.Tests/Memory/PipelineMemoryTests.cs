using AnimateDiff.Tests.Text;

namespace AnimateDiff.Tests.Memory;

public class PipelineMemoryTests
{
    [Fact]
    public async Task Five_generations_leave_as_many_tensors_as_one()
    {
        var options = new PipelineOptions { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v2.safetensors") };
        using var pipeline = await AnimateDiffPipeline.LoadAsync(options, RecordedTokenizer.Load());
        var request = new GenerationRequest("A painting of a squirrel eating a burger, 4k")
        {
            Frames = 2,
            Steps = 2,
            Scheduler = "dpmpp-2m-sde-karras",
            Adapters = [new(AdapterRole.MotionLora, Goldens.Model("motionlora-pan-left.ckpt"), 0.7)],
        };
        var live = new List<long>();
        for (ulong seed = 0; seed < 5; seed++)
        {
            await pipeline.GenerateAsync(request with { Seed = seed });
            live.Add(await pipeline.LiveTensorsAsync());
        }
        Assert.Equal(Enumerable.Repeat(live[0], 5), live);
    }

    [Fact]
    public async Task Cancelled_generation_leaves_the_pipeline_as_it_was()
    {
        var options = new PipelineOptions { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v2.safetensors") };
        using var pipeline = await AnimateDiffPipeline.LoadAsync(options, RecordedTokenizer.Load());
        var request = new GenerationRequest("A painting of a squirrel eating a burger, 4k") { Frames = 2, Steps = 5 };
        await pipeline.GenerateAsync(request);
        var live = await pipeline.LiveTensorsAsync();

        using var cancellation = new CancellationTokenSource();
        var progress = new Immediately(step =>
        {
            if (step is { Stage: GenerationStage.Denoise, Done: 2 })
                cancellation.Cancel();
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pipeline.GenerateAsync(request, progress, cancellation.Token));
        Assert.Equal(live, await pipeline.LiveTensorsAsync());
    }

    /// <summary>TorchSharp's count keeps a few small tensors of each load that are nobody's; the weights, over a thousand, must not be among them.</summary>
    [Fact]
    public void A_load_that_stops_frees_what_it_had_read()
    {
        var options = new PipelineOptions { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v2.safetensors") };
        using var cancellation = new CancellationTokenSource();
        var stopBeforeVae = new Immediately(step =>
        {
            if (step.Done == 3)
                cancellation.Cancel();
        });
        var whole = Growth(() => PipelineParts.Load(options, RecordedTokenizer.Load(), null, CancellationToken.None).Dispose());
        var stopped = Growth(() => Assert.Throws<OperationCanceledException>(() => PipelineParts.Load(options, RecordedTokenizer.Load(), stopBeforeVae, cancellation.Token)));
        Assert.InRange(stopped, 0, whole);
        Assert.InRange(whole, 0, 200);

        static long Growth(Action load)
        {
            var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            load();
            return DisposeScopeManager.Statistics.ThreadTotalLiveCount - before;
        }
    }

    private sealed class Immediately(Action<GenerationProgress> report) : IProgress<GenerationProgress>
    {
        public void Report(GenerationProgress value) => report(value);
    }
}
