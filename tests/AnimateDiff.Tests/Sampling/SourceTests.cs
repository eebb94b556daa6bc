using AnimateDiff.Noise;
using AnimateDiff.Sampling;
using AnimateDiff.Tests.Text;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Sampling;

public sealed class SourceTests : IDisposable
{
    private static readonly PipelineOptions Models = new() { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v2.safetensors") };
    private static readonly GenerationRequest Squirrel = new("A painting of a squirrel eating a burger, 4k") { Steps = 4, Seed = 9 };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Two samplers of one evaluation a step, one of two, on sources of both kinds, with a mask whose border wanders from frame to frame.</summary>
    [Theory]
    [InlineData(SourceKind.Video, "ddim")]
    [InlineData(SourceKind.Video, "heun")]
    [InlineData(SourceKind.Image, "ddim")]
    [InlineData(SourceKind.Image, "euler-a")]
    public async Task What_a_mask_keeps_is_the_source_exactly_and_the_rest_is_made_anew(SourceKind kind, string sampler)
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Models, RecordedTokenizer.Load());
        var input = kind == SourceKind.Video ? Goldens.Input("video-in") : Path.Combine(Goldens.Input("video-in"), "003.png");
        var request = Squirrel with { Frames = 4, Scheduler = sampler, DecodeChunk = 1, Source = new(kind, input, 0.75, await MaskAsync(4)) };

        var (latents, frames) = await pipeline.GenerateTensorsAsync(request, Scheduler.Create(sampler, null, 4));
        using var _ = frames;
        using var result = latents;
        var kept = (await EncodeAsync(request)).expand(latents.shape);      // [1, 4, F, h, w]

        for (var frame = 0; frame < 4; frame++)
        {
            var (left, right) = ((kept - latents).abs()[0, TensorIndex.Colon, frame, TensorIndex.Colon, ..(frame + 1)], (kept - latents).abs()[0, TensorIndex.Colon, frame, TensorIndex.Colon, (frame + 1)..]);
            Assert.Equal(0, left.max().item<float>());
            Assert.InRange(right.min().item<float>(), 1e-7, double.MaxValue);
            Assert.InRange(right.mean().item<float>(), 0.05, double.MaxValue);
        }
    }

    [Fact]
    public async Task The_smaller_the_strength_the_closer_to_the_video()
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Models, RecordedTokenizer.Load());
        var distances = new List<double>();
        foreach (var strength in new[] { 0.25, 0.5, 1 })
        {
            var request = Squirrel with { Frames = 4, Source = new(SourceKind.Video, Goldens.Input("video-in"), strength) };
            var (latents, frames) = await pipeline.GenerateTensorsAsync(request, Scheduler.Create("ddim", null, 4));
            distances.Add((latents - await EncodeAsync(request)).norm().item<float>());
            latents.Dispose();
            frames.Dispose();
        }
        Assert.Equal(distances.Order(), distances);
        Assert.InRange(distances[0], 0, distances[2] / 2);
    }

    /// <summary>The formula of the reference by itself, in double precision.</summary>
    [Fact]
    public void Later_frames_begin_nearer_to_the_picture()
    {
        using var scope = NewDisposeScope();
        using var generator = InitialLatents.Seeded(1);
        var (noise, image) = (randn([2, 4, 8, 6, 6], generator: generator) * 14, randn([1, 4, 1, 6, 6], generator: generator));

        var blend = LatentBlend.Towards(image, noise, 0.25);

        for (var (clip, frame) = (0, 0); frame < 8; frame++, clip = frame % 2)
        {
            var (a, b) = (noise[clip, TensorIndex.Colon, frame].to(ScalarType.Float64), image[0, TensorIndex.Colon, 0].to(ScalarType.Float64));
            var (t, angle) = (frame / 8.0 * 0.75, Math.Acos(((a * b).sum() / (a.norm() * b.norm())).item<double>()));
            var expected = (a * Math.Sin(angle - t * angle) + b * Math.Sin(t * angle)) / Math.Sin(angle);
            Assert.InRange(Goldens.Difference(blend[clip, TensorIndex.Colon, frame], expected), 0, 2e-5);
        }
        Assert.Equal(0, Goldens.Difference(blend[TensorIndex.Colon, TensorIndex.Colon, 0], noise[TensorIndex.Colon, TensorIndex.Colon, 0]));
        Assert.InRange(Goldens.Difference(LatentBlend.Slerp(image, image * 3, 0.5), image * 2), 0, 1e-6);
    }

    [Fact]
    public async Task The_length_of_the_video_is_the_clips_and_the_recipe_tells_all()
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Models, RecordedTokenizer.Load());
        var mask = await MaskAsync(1);
        var recipe = await pipeline.DescribeAsync(Squirrel with { Source = new(SourceKind.Video, Goldens.Input("video-in"), 0.5, mask), PromptsAt = [new(3, "a cat")] });
        Assert.Equal(8, recipe.Frames);
        var again = Recipe.FromJson(recipe.ToJson(), "recipe");
        Assert.Equal(new ClipSource(SourceKind.Video, Goldens.Input("video-in"), 0.5, mask), again.ToRequest().Source);
        Assert.Equal([new(3, "a cat")], again.ToRequest().PromptsAt);
        again.CheckFiles(recipe);

        using var other = new TempFolder();
        foreach (var picture in Directory.EnumerateFiles(Goldens.Input("video-in")).Order().SkipLast(1))
            File.Copy(picture, other[Path.GetFileName(picture)]);
        var changed = await pipeline.DescribeAsync(again.ToRequest() with { Frames = 7, Source = again.ToRequest().Source! with { Path = other.Path } });
        Assert.Contains("video-in", Assert.Throws<FileException>(() => again.CheckFiles(changed)).Message);
    }

    [Fact]
    public async Task Wrong_sources_are_refused()
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Models, RecordedTokenizer.Load());
        var video = new ClipSource(SourceKind.Video, Goldens.Input("video-in"));
        async Task Refuses<T>(GenerationRequest request, string message) where T : AnimateDiffException =>
            Assert.Contains(message, (await Assert.ThrowsAsync<T>(() => pipeline.GenerateAsync(request))).Message);
        await Refuses<RequestException>(Squirrel with { Source = video with { Strength = 0 } }, "A strength of 0 is not possible");
        await Refuses<RequestException>(Squirrel with { Source = video with { Strength = 1.1 } }, "A strength of 1.1 is not possible");
        await Refuses<RequestException>(Squirrel with { Source = video with { Strength = 0.2 } }, "leaves none of the 4 steps");
        await Refuses<RequestException>(Squirrel with { Source = new(SourceKind.Image, video.Path, double.NaN) }, "A strength of NaN");
        await Refuses<RequestException>(Squirrel with { Source = video, Frames = 9 }, "9 frames are asked for");
        await Refuses<FileException>(Squirrel with { Source = video with { Path = _folder["none.mp4"] } }, "does not exist");
        await Refuses<FileException>(Squirrel with { Source = video with { Mask = _folder["none.png"] } }, "does not exist");
        await Refuses<FileException>(Squirrel with { Source = video with { Path = _folder.Write("text.png", "no picture") } }, "text.png");
        await Refuses<RequestException>(Squirrel with { Source = video with { Mask = await MaskAsync(3) } }, "has 3 frames, and the clip 8");
    }

    [Fact]
    public async Task Five_masked_videos_leave_as_many_tensors_as_one()
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Models, RecordedTokenizer.Load());
        var live = new List<long>();
        foreach (var kind in new[] { SourceKind.Video, SourceKind.Video, SourceKind.Image, SourceKind.Video, SourceKind.Image })
        {
            await pipeline.GenerateAsync(Squirrel with { Frames = 2, Steps = 2, Source = new(kind, Goldens.Input("video-in"), 0.5, await MaskAsync(2)), PromptsAt = [new(1, "masterpiece, a corgi running on the beach at sunset")] });
            live.Add(await pipeline.LiveTensorsAsync());
        }
        Assert.Equal(Enumerable.Repeat(live[0], 5), live);
    }

    /// <summary>The source of a request as latents [1, 4, F or 1, h, w], by the VAE alone: the seed's first draws are those of its samples.</summary>
    private static async Task<Tensor> EncodeAsync(GenerationRequest request)
    {
        var pictures = (await VideoReader.ReadAsync(request.Source!.Path, null, request.Source.Kind == SourceKind.Video ? request.Frames : 1)).Frames;
        using var parts = PipelineParts.Load(Models, RecordedTokenizer.Load(), null, CancellationToken.None);
        using var generator = InitialLatents.Seeded(request.Seed);
        using var __ = no_grad();
        using var images = pictures.ToTensor();
        var noise = randn([pictures.Frames, 4, 8, 8], generator: generator);
        var each = images.split(1).Zip(noise.split(1), (image, draw) =>
        {
            using var distribution = parts.Vae.Encode(image);
            return distribution.At(draw) * parts.Vae.Config.ScalingFactor;
        });
        return cat([.. each]).transpose(0, 1).unsqueeze(0);
    }

    /// <summary>A folder of masks: of frame f the first f + 1 columns of 8 pixels are kept.</summary>
    private async Task<string> MaskAsync(int frames)
    {
        var pixels = new byte[frames * 64 * 64 * 3];
        for (var i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)(i / 3 % 64 < 8 * (i / (64 * 64 * 3) + 1) ? 0 : 255);
        var path = _folder[$"mask-{frames}/"];
        if (!Directory.Exists(path))
            await VideoWriter.WriteAsync(path, new VideoFrames(frames, 64, 64, pixels), 8, "{}");
        return path;
    }
}
