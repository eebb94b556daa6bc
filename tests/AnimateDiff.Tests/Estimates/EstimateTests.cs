using AnimateDiff.Denoising;
using AnimateDiff.Estimates;
using AnimateDiff.Tests.EndToEnd;
using AnimateDiff.Tests.Text;
using AnimateDiff.Vae;

namespace AnimateDiff.Tests.Estimates;

public sealed class EstimateTests : IDisposable
{
    private static readonly PipelineOptions Models = new() { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v2.safetensors") };
    private static readonly GenerationRequest Squirrel = new("A painting of a squirrel eating a burger, 4k") { Frames = 4, Steps = 5, Height = 64, Width = 64 };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Operations counted by libtorch's profiler for Stable Diffusion 1.5 with a v3 module: 8 frames of 256×256 with guidance.</summary>
    [Fact]
    public void The_work_of_a_step_is_what_was_counted()
    {
        var cost = UNetCost.Of(new UNetConfig(), new MotionConfig(), 32, 32, 8, inPieces: false);
        Assert.InRange(16 * cost.Flops, 3.944e12 * 0.97, 3.944e12 * 1.03);
    }

    [Fact]
    public void Skips_are_those_of_the_way_down()
    {
        // 64 places: three outputs and one of 16 places with 32 channels, two of 16 with 64
        var config = new UNetConfig { BlockOutChannels = [32, 64], DownBlockTypes = ["CrossAttnDownBlock2D", "DownBlock2D"], UpBlockTypes = ["UpBlock2D", "CrossAttnUpBlock2D"] };
        Assert.Equal((3 * 32 * 64) + (32 * 16) + (2 * 64 * 16), UNetCost.Of(config, null, 8, 8, 1, false).Skips);
    }

    [Fact]
    public async Task Each_remedy_takes_less_and_more_takes_more()
    {
        Task<long> Peak(PipelineOptions options, GenerationRequest request) => AskAsync(options, request, (estimator, settled, size) => estimator.CostOf(settled, size).PeakBytes);
        var large = Squirrel with { Prompts = [Squirrel.Prompts[0], Squirrel.Prompts[0]], Frames = 16, Height = 512, Width = 512 };       // wider than decoding
        var normal = await Peak(Models, large);
        Assert.True(await Peak(Models with { DType = ScalarType.BFloat16 }, large) < normal);
        Assert.True(await Peak(Models with { Memory = MemoryUse.Low }, large) < normal);
        Assert.True(await Peak(Models, large with { Frames = 8 }) < normal);
        Assert.True(await Peak(Models, large with { Context = new(8, 2) }) < normal);
        Assert.True(await Peak(Models, large with { GuidanceScale = 1 }) < normal);
        Assert.True(await Peak(Models, large with { Prompts = [.. large.Prompts, "another"] }) > normal);
        Assert.True(await Peak(Models, large with { Hires = new(2) }) > normal);
        Assert.True(await Peak(Models, large with { Adapters = [new(AdapterRole.MotionLora, Goldens.Model("motionlora-pan-left.ckpt"))] }) > normal);
    }

    [Fact]
    public async Task Work_follows_the_settings()
    {
        Task<RunCost> Cost(GenerationRequest request) => AskAsync(Models, request, (estimator, settled, size) => estimator.CostOf(settled, size));
        var usual = await Cost(Squirrel);
        Assert.Equal(5, usual.Evaluations);
        Assert.Equal(usual.StepFlops / 2, (await Cost(Squirrel with { GuidanceScale = 1 })).StepFlops, 1);
        Assert.Equal(usual.StepFlops * 1.5, (await Cost(Squirrel with { PerturbedAttention = new(2, PerturbedAttention.UsualLayers) })).StepFlops, 1);
        Assert.Equal(15, (await Cost(Squirrel with { FreeInit = 3 })).Evaluations);
        Assert.Equal(10, (await Cost(Squirrel with { Scheduler = "heun" })).Evaluations, 1.0);
        Assert.True((await Cost(Squirrel with { Context = new(2, 1) })).StepFlops > usual.StepFlops);
    }

    [Fact]
    public async Task What_cannot_fit_is_refused_before_it_starts_with_what_would_fit()
    {
        var peaks = await AskAsync(Models, Squirrel with { Frames = 16, Height = 1024, Width = 1024 }, (estimator, settled, size) =>
        {
            var peak = estimator.CostOf(settled, size).PeakBytes;
            estimator.RequireFit(settled, size, peak);
            var error = Assert.Throws<RequestException>(() => estimator.RequireFit(settled, size, peak * 7 / 10));
            Assert.Contains("--dtype bf16", error.Message);
            Assert.Contains("--memory low", error.Message);
            Assert.Contains("16 frames of 1024×1024", error.Message);
            error = Assert.Throws<RequestException>(() => estimator.RequireFit(settled, size, 1));
            Assert.DoesNotContain("--dtype", error.Message);
            return peak;
        });
        Assert.True(peaks > 0);

        var endless = Squirrel with { Frames = 16, Height = 1 << 15, Width = 1 << 15 };                       // terabytes
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Models, RecordedTokenizer.Load());
        Assert.Contains("--force", (await Assert.ThrowsAsync<RequestException>(() => pipeline.GenerateAsync(endless))).Message);
    }

    [Theory]
    [InlineData("0::/a/b", "sys/fs/cgroup/a/memory.max", "3000000", 3000000)]                                 // a parent's limit
    [InlineData("0::/a/b", "sys/fs/cgroup/a/b/memory.max", "max", 8192 << 10)]
    [InlineData("4:memory:/a", "sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000", 2000000)]             // a container that sees its own root alone
    [InlineData("4:memory:/a", "sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712", 8192 << 10)]
    [InlineData("3:cpuset:/a", "sys/fs/cgroup/memory/a/memory.limit_in_bytes", "5", 8192 << 10)]
    public void Memory_is_what_is_free_within_the_limits_of_groups(string group, string file, string limit, long expected)
    {
        _folder.Write("proc/meminfo", "MemTotal:  99999999 kB\nMemAvailable:    8000 kB\n");
        _folder.Write("proc/self/status", "Name: x\nVmRSS:\t     192 kB\n");
        _folder.Write("proc/self/cgroup", $"5:devices:/\n{group}\n");
        _folder.Write(file, limit + "\n");
        Assert.Equal(expected, AvailableMemory.Bytes(_folder.Path));
    }

    [Fact]
    public async Task The_command_says_what_it_would_take_and_makes_nothing()
    {
        using var vocabulary = Vocabularies.Small();
        ReferenceModels.CopyBase(_folder["base"], vocabulary);
        string[] command = ["generate", "a dog", "--base", _folder["base"], "--motion", Models.Motion!, "--frames", "2", "--steps", "3", "--out", _folder["dog.gif"]];
        var (code, output, error) = await CliProcess.RunAsync([.. command, "--estimate"]);
        Assert.True(code == 0, error);
        Assert.Matches(@"^peak memory \d+\.\d GB of \d+\.\d GB; 3 steps of \d+\.\d s, \d+\.\d s in all\n$", output);
        Assert.False(File.Exists(_folder["dog.gif"]));

        (code, _, error) = await CliProcess.RunAsync([.. command, "--width", "65536", "--height", "65536"]);
        Assert.Equal(2, code);
        Assert.Contains("--memory low", error);
        Assert.False(File.Exists(_folder["dog.gif"]));
    }

    private static Task<T> AskAsync<T>(PipelineOptions options, GenerationRequest request, Func<Estimator, GenerationRequest, ClipSize, T> ask)
        => AnimateDiffPipeline.EstimateAsync(options, RecordedTokenizer.Load(), request, ask, TestContext.Current.CancellationToken);
}
