using AnimateDiff.Control;
using AnimateDiff.Noise;
using AnimateDiff.Sampling;
using AnimateDiff.Tests.ImagePrompts;
using AnimateDiff.Tests.Text;
using AnimateDiff.Tests.Video;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Control;

/// <summary>Control from files to frames, on the reference models.</summary>
public sealed class ControlledPipelineTests : IDisposable
{
    private const string Prompt = "A painting of a squirrel eating a burger, 4k";
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Control_leaves_no_tensors_and_no_trace_and_its_recipe_makes_it_again()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var (plain, controlled) = (Request(), await ControlledAsync());
        var before = await pipeline.GenerateAsync(plain);
        var steered = await pipeline.GenerateAsync(controlled);
        var live = await pipeline.LiveTensorsAsync();
        for (var i = 0; i < 3; i++)
            await pipeline.GenerateAsync(controlled);
        Assert.Equal(live, await pipeline.LiveTensorsAsync());
        Assert.NotEqual(Pixels(before), Pixels(steered));

        var recipe = Recipe.FromJson(steered.Recipe.ToJson(), "recipe");
        Assert.Equal(Pixels(steered), Pixels(await pipeline.GenerateAsync(recipe.ToRequest())));
        foreach (var file in (string[])[Path.Combine(Goldens.Model("controlnet"), "diffusion_pytorch_model.safetensors"), _folder["frames/0001.png"], _folder["one.png"]])
            Assert.Contains(file, recipe.Files.Select(own => own.Path));
        await File.AppendAllTextAsync(_folder["one.png"], "changed", TestContext.Current.CancellationToken);
        Assert.Contains("one.png", (await Assert.ThrowsAsync<FileException>(async () => recipe.CheckFiles(await pipeline.DescribeAsync(recipe.ToRequest())))).Message);

        Assert.Equal(Pixels(before), Pixels(await pipeline.GenerateAsync(plain)));
    }

    [Fact]
    public async Task A_network_acts_in_its_steps_with_its_strength()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var controlled = await ControlledAsync() with { Sparse = null };
        GenerationRequest With(double scale, double start, double end) => controlled with { Controls = [controlled.Controls[0] with { Scale = scale, Start = start, End = end }] };
        var whole = Pixels(await pipeline.GenerateAsync(With(1, 0, 1)));
        var half = Pixels(await pipeline.GenerateAsync(With(1, 0, 0.5)));
        var never = Pixels(await pipeline.GenerateAsync(With(1, 0.6, 0.9)));                    // no step of the two lies in it
        var off = Pixels(await pipeline.GenerateAsync(With(0, 0, 1)));
        Assert.Equal(off, never);
        Assert.Equal(3, new[] { whole, half, off }.DistinctBy(Convert.ToBase64String).Count());
    }

    /// <summary>A ControlNet looks at each frame alone, so in a window of frames, or for the positive half alone, it says the same of them as in the whole clip.</summary>
    [Fact]
    public async Task Control_follows_the_frames_of_a_window()
    {
        var request = await ControlledAsync() with { Sparse = null, Context = new(2, 1), PromptsAt = [new(3, "worst quality, low quality, letterboxed")] };
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        var options = new PipelineOptions { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v3.ckpt") };
        using var parts = PipelineParts.Load(options, RecordedTokenizer.Load(), null, CancellationToken.None);
        parts.Apply(request);
        var size = parts.SizeOf(request);
        var (sample, timestep) = (randn([2, 4, 4, 8, 8]), tensor([500L]));
        using var prompts = PromptTravel.Encode(parts.Prompts, request, size.Frames);           // a text for every frame
        var run = ControlRun.Start(request, size with { Height = 64, Width = 64 }, parts, prompts, first: 0, evaluations: 2, CancellationToken.None);
        var whole = run.At(sample, timestep, 0, window: null)!;
        long[] frames = [2, 0];
        var part = run.At(sample.narrow(0, 1, 1).index_select(2, tensor(frames)), timestep, 0, frames)!;
        var expected = whole.Mid.index_select(0, tensor(frames).add(4));                        // of the second clip
        Assert.InRange(Goldens.Difference(part.Mid, expected), 0, 1e-4);
        Assert.All(part.Down.Zip(whole.Down), pair => Assert.InRange(Goldens.Difference(pair.First, pair.Second.index_select(0, tensor(frames).add(4))), 0, 1e-4));
        Assert.True(Goldens.Difference(whole.Mid.narrow(0, 4, 2), expected) > 1e-3);
    }

    [Fact]
    public async Task Windows_control_pictures_and_perturbed_attention_go_together()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var controlled = await ControlledAsync() with { PerturbedAttention = new(2, PerturbedAttention.UsualLayers), PromptsAt = [new(3, "worst quality, low quality, letterboxed")], ImagePrompts = [new(IPAdapterFixtures.Plain, [IPAdapterFixtures.Pictures[0]], 0.7)] };
        var whole = await pipeline.LatentsAsync(controlled);
        Assert.InRange(Goldens.Difference(await pipeline.LatentsAsync(controlled with { Context = new(4, 1) }), whole), 0, 1e-5);
        Assert.True(Goldens.Difference(await pipeline.LatentsAsync(controlled with { ImagePrompts = [] }), whole) > 1e-2);
        foreach (var context in (FrameContext[])[new(4, 3, Closed: true), new(2, 1)])
        {
            var windowed = await pipeline.LatentsAsync(controlled with { Context = context });
            Assert.True(isfinite(windowed).all().item<bool>());
            Assert.True(Goldens.Difference(windowed, whole) > 1e-2);
        }
    }

    [Fact]
    public async Task Wrong_files_are_refused()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var controlled = await ControlledAsync();
        async Task<string> Refusal(GenerationRequest request) => (await Assert.ThrowsAsync<FileException>(() => pipeline.GenerateAsync(request))).Message;
        GenerationRequest With(string path, string images) => controlled with { Controls = [new(path, images)], Sparse = null };
        Assert.Contains("--sparsectrl", await Refusal(With(Goldens.Model("sparsectrl-rgb"), _folder["one.png"])));
        Assert.Contains("--motion", await Refusal(With(Goldens.Model("motion-v3.ckpt"), _folder["one.png"])));
        Assert.Contains("--controlnet", await Refusal(controlled with { Sparse = controlled.Sparse! with { Path = Goldens.Model("controlnet") } }));
        File.Delete(_folder["frames/0002.png"]);
        Assert.Contains("3 pictures for 4 frames", await Refusal(With(Goldens.Model("controlnet"), _folder["frames"])));
        await Assert.ThrowsAsync<RequestException>(() => pipeline.GenerateAsync(controlled with { Sparse = controlled.Sparse! with { Images = [new(4, _folder["one.png"])] } }));
    }

    private static GenerationRequest Request() => new(Prompt) { Frames = 4, Steps = 2, Seed = 5 };

    /// <summary>A ControlNet that follows a folder of another size, and SparseCtrl with a picture for the last frame.</summary>
    private async Task<GenerationRequest> ControlledAsync()
    {
        await VideoWriter.WriteAsync(_folder["frames/"], Clips.Moving(5, 100, 80), 8, "{}");
        File.Move(Directory.EnumerateFiles(_folder["frames"], "*.png").Order().Last(), _folder["one.png"]);
        var pictures = Directory.EnumerateFiles(_folder["frames"], "*.png").Order().ToArray();
        foreach (var (i, picture) in pictures.Index())
            File.Move(picture, _folder[$"frames/{i:0000}.png"], overwrite: true);
        return Request() with
        {
            Controls = [new(Goldens.Model("controlnet"), _folder["frames"], 0.8)],
            Sparse = new(Goldens.Model("sparsectrl-rgb"), [new(-1, _folder["one.png"])]),
        };
    }

    private static byte[] Pixels(Generated generated) => generated.Videos[0].Pixels.ToArray();
}
