using AnimateDiff.Evaluation;
using AnimateDiff.Noise;
using AnimateDiff.Noise.Samplers;
using AnimateDiff.Tests.Text;
using AnimateDiff.Toybox;
using AnimateDiff.Video;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Sampling;

/// <summary>Clips back to noise, and clips from that noise.</summary>
public sealed class InversionTests : IDisposable
{
    private static readonly PipelineOptions Nano = new() { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v2.safetensors") };
    private static readonly GenerationRequest Squirrel = new("A painting of a squirrel eating a burger, 4k") { Frames = 2, Steps = 3, GuidanceScale = 1, Source = new(SourceKind.Video, Goldens.Input("video-in")) };

    private readonly TempFolder _folder = new();

    private string Noise => _folder["noise.safetensors"];

    public void Dispose() => _folder.Dispose();

    /// <summary>Of a model that knows clip and noise the way there and back is exact.</summary>
    [Theory]
    [InlineData("leading", "1", "epsilon")]
    [InlineData("leading", "0", "v_prediction")]
    [InlineData("trailing", "0", "epsilon")]
    public void Steps_of_the_same_options_go_the_way_back(string spacing, string offset, string prediction)
    {
        using var scope = NewDisposeScope();
        var options = new Dictionary<string, string> { ["timestep_spacing"] = spacing, ["steps_offset"] = offset, ["prediction_type"] = prediction };
        var ddim = Scheduler.Create("ddim", options, 8);
        var inverse = new DdimInverseScheduler(ddim);
        Assert.Equal(ddim.Timesteps.Reverse(), inverse.Timesteps);

        var (clean, noise) = (randn([1, 4, 2, 3, 3]), randn([1, 4, 2, 3, 3]));
        Tensor Said(Scheduler sampler, int index)                           // what a model says that knows the clip and its noise
        {
            var (signal, level) = sampler.LevelAt(index);
            return prediction == "epsilon" ? noise : signal * noise - level * clean;
        }
        var sample = clean;
        using (var run = inverse.Start())
            for (var i = 0; i < 8; i++)
                sample = run.Step(Said(inverse, i), i, sample);
        var (most, rest) = ddim.LevelAt(0);
        Assert.InRange(Goldens.Difference(sample, most * clean + rest * noise), 0, 1e-4);
        using (var run = ddim.Start())
            for (var i = 0; i < 8; i++)
                sample = run.Step(Said(ddim, i), i, sample);
        Assert.InRange(Goldens.Difference(sample, clean), 0, 1e-4);
    }

    /// <summary>A clip that the model did not make, by the model that knows its world.</summary>
    [Fact]
    public async Task A_clip_comes_back_with_its_prompt_and_changes_with_another()
    {
        var models = Path.Combine(Goldens.Repository, "models", "toybox");
        var scene = ToyScene.Draw(7, 1, ToyMovement.Right) with { Shape = ToyShape.Ball, Colour = ToyColour.Red };
        var clip = ToyRenderer.Clip(scene, frames: 8);
        await VideoWriter.WriteAsync(_folder["clip/"], clip, 8, "{}");
        using var pipeline = await AnimateDiffPipeline.LoadAsync(new() { Base = Path.Combine(models, "base"), Motion = Path.Combine(models, "motion") });
        var request = new GenerationRequest(scene.Caption) { Steps = 12, GuidanceScale = 1, Source = new(SourceKind.Video, _folder["clip/"]) };

        var inverted = await pipeline.InvertAsync(request, Noise);
        Assert.Equal((8, "ddim", 64), (inverted.Recipe.Frames, inverted.Recipe.Scheduler, inverted.Recipe.Width));
        var latents = LatentsFile.Open(Noise);
        Assert.Equal(inverted.Recipe.ToJson(), latents.Recipe!.ToJson());
        var back = latents.Apply(request);
        var again = await pipeline.GenerateAsync(back);
        Assert.Empty(again.Warnings);
        Assert.InRange(Fidelity.Psnr(again.Videos[0], clip), 25, 60);
        var edited = await pipeline.GenerateAsync(back with { Prompts = [scene.Caption.Replace("red", "green")], GuidanceScale = 4 });
        Assert.InRange(Fidelity.Psnr(edited.Videos[0], clip), 8, 24);
    }

    [Fact]
    public async Task The_size_comes_from_the_file_and_a_run_that_is_not_its_way_back_is_told()
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Nano, RecordedTokenizer.Load());
        await pipeline.InvertAsync(Squirrel with { Frames = null, SchedulerOptions = new Dictionary<string, string> { ["steps_offset"] = "0" } }, Noise);
        var request = Squirrel with { Frames = null, Source = new(SourceKind.Latents, Noise, 1), Scheduler = "euler", Steps = 2 };
        var made = await pipeline.GenerateAsync(request);
        Assert.Equal((8, 64, 64), (made.Videos[0].Frames, made.Videos[0].Width, made.Videos[0].Height));
        Assert.Contains("scheduler ddim, here euler; steps 3, here 2)", Assert.Single(made.Warnings));
        made = await pipeline.GenerateAsync(request with { Scheduler = "ddim", Steps = 3 });
        Assert.Contains("(steps_offset 0, here 1)", Assert.Single(made.Warnings));

        var recipe = Recipe.FromJson(made.Recipe.ToJson(), "");
        Assert.Equal(new ClipSource(SourceKind.Latents, Noise, 1), recipe.ToRequest().Source);
        Assert.Equal(await FileFingerprints.OfAsync(Noise), recipe.Source!.Sha256);
        Assert.Equal(made.Videos[0].Pixels.ToArray(), (await pipeline.GenerateAsync(recipe.ToRequest())).Videos[0].Pixels.ToArray());
    }

    /// <summary>Windows as wide as the clip see what is seen without them, also where the run is kept in files.</summary>
    [Fact]
    public async Task Every_prompt_begins_from_the_same_latents_and_a_clip_can_be_inverted_in_windows()
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Nano, RecordedTokenizer.Load());
        await pipeline.InvertAsync(Squirrel with { Context = new(2, 1) }, Noise);
        await pipeline.InvertAsync(Squirrel, _folder["whole.safetensors"]);
        using (var windows = LatentsFile.Open(Noise).Read(CPU))
        using (var whole = LatentsFile.Open(_folder["whole.safetensors"]).Read(CPU))
            Assert.Equal(whole.data<float>().ToArray(), windows.data<float>().ToArray());

        var request = LatentsFile.Open(Noise).Apply(Squirrel);
        var two = await pipeline.GenerateAsync(request with { Prompts = [Squirrel.Prompts[0], Squirrel.Prompts[0]] });
        Assert.InRange(Fidelity.Psnr(two.Videos[0], two.Videos[1]), 50, 60);
        var kept = await pipeline.GenerateAsync(request with { Context = new(2, 1), WorkFolder = _folder["work"] });
        Assert.InRange(Fidelity.Psnr(kept.Videos[0], two.Videos[0]), 50, 60);
        var large = await pipeline.GenerateAsync(request with { Hires = new(2, 0.5) });
        Assert.Equal((2, 128), (large.Videos[0].Frames, large.Videos[0].Width));
    }

    [Fact]
    public async Task What_has_no_way_back_is_refused()
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Nano, RecordedTokenizer.Load());
        async Task Refuses<T>(GenerationRequest request, string message) where T : AnimateDiffException
        {
            Assert.Contains(message, (await Assert.ThrowsAsync<T>(() => pipeline.InvertAsync(request, Noise))).Message);
            Assert.False(File.Exists(Noise));
        }
        await Refuses<RequestException>(Squirrel with { Source = null }, "give a video as the source");
        await Refuses<RequestException>(Squirrel with { Source = Squirrel.Source! with { Kind = SourceKind.Image } }, "give a video as the source");
        await Refuses<RequestException>(Squirrel with { Source = Squirrel.Source! with { Mask = Goldens.Input("video-in") } }, "without a mask");
        await Refuses<RequestException>(Squirrel with { Prompts = ["a", "b"] }, "2 prompts are given");
        await Refuses<RequestException>(Squirrel with { Scheduler = "euler" }, "invert with ddim");
        await Refuses<RequestException>(Squirrel with { SchedulerOptions = new Dictionary<string, string> { ["eta"] = "0.5" } }, "cannot be taken backwards");
        await Refuses<RequestException>(Squirrel with { SchedulerOptions = new Dictionary<string, string> { ["prediction_type"] = "sample" } }, "set_alpha_to_one");
        await Refuses<RequestException>(Squirrel with { Hires = new(2, 0.5) }, "leave out what is done to a finished clip");
        await Refuses<FileException>(Squirrel with { Source = Squirrel.Source! with { Path = _folder["none.mp4"] } }, "does not exist");
    }

    [Fact]
    public async Task Wrong_latents_are_refused()
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Nano, RecordedTokenizer.Load());
        async Task Refuses<T>(string message, Func<GenerationRequest, GenerationRequest>? change = null) where T : AnimateDiffException
        {
            var request = Squirrel with { Source = new(SourceKind.Latents, Noise, 1) };
            Assert.Contains(message, (await Assert.ThrowsAsync<T>(() => pipeline.GenerateAsync(change?.Invoke(request) ?? request))).Message);
        }
        void Write(string name, params long[] shape)
        {
            using var latents = ones(shape);
            SafetensorsWriter.Write(Noise, [(name, latents)]);
        }
        await Refuses<FileException>("does not exist");
        _folder.Write("noise.safetensors", "no latents");
        await Refuses<FileException>("noise.safetensors");
        Write("x", 1, 4, 2, 8, 8);
        await Refuses<FileException>("no tensor 'latents'");
        Write("latents", 4, 2, 8, 8);
        await Refuses<FileException>("have the shape [4, 2, 8, 8]; expected [1, 4, frames");
        Write("latents", 1, 16, 2, 8, 8);
        await Refuses<FileException>("have the shape [1, 16, 2, 8, 8]");
        Write("latents", 1, 4, 2, 8, 8);
        await Refuses<RequestException>("frames 3 is asked for, and the latents in", request => request with { Frames = 3 });
        await Refuses<RequestException>("width 128 is asked for", request => request with { Width = 128 });
        await Refuses<RequestException>("latents begins from that", request => request with { FreeInit = 2 });
        await Refuses<RequestException>("none is drawn", request => request with { FrameSeeds = [new(0, 1)] });
        await Refuses<RequestException>("leave the mask out", request => request with { Source = request.Source! with { Mask = Goldens.Input("video-in") } });
        using (var bad = full([1, 4, 2, 8, 8], float.NaN))
            LatentsFile.Write(Noise, bad, null);
        await Refuses<FileException>("not all finite");
    }

    [Fact]
    public async Task Five_inversions_and_clips_leave_as_many_tensors_as_one_and_a_cancelled_one_no_file()
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Nano, RecordedTokenizer.Load());
        var live = new List<long>();
        for (var i = 0; i < 5; i++)
        {
            await pipeline.InvertAsync(Squirrel, Noise);
            await pipeline.GenerateAsync(LatentsFile.Open(Noise).Apply(Squirrel));
            live.Add(await pipeline.LiveTensorsAsync());
        }
        Assert.Equal(Enumerable.Repeat(live[0], 5), live);

        using var cancellation = new CancellationTokenSource();
        var progress = new Immediately(step =>
        {
            if (step is { Stage: GenerationStage.Denoise, Done: 2 })
                cancellation.Cancel();
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pipeline.InvertAsync(Squirrel, _folder["none.safetensors"], null, progress, cancellation.Token));
        Assert.Equal(live[0], await pipeline.LiveTensorsAsync());
        Assert.Equal(["noise.safetensors"], _folder.Entries);
    }

    private sealed class Immediately(Action<GenerationProgress> report) : IProgress<GenerationProgress>
    {
        public void Report(GenerationProgress value) => report(value);
    }
}
