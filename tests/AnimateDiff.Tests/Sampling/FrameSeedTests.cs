using AnimateDiff.Noise;
using AnimateDiff.Sampling;
using AnimateDiff.Sampling.Long;
using AnimateDiff.Tests.EndToEnd;
using AnimateDiff.Tests.Text;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Sampling;

/// <summary>Initial noise of single frames.</summary>
public sealed class FrameSeedTests : ModelCommandTests
{
    private const ulong Seed = 5;
    private static readonly GenerationRequest _plain = new("a") { Seed = Seed, Context = new(8, 4) };
    private static readonly GenerationRequest _perFrame = _plain with { InitialNoise = NoiseKind.PerFrame };

    [Fact]
    public void A_frame_of_per_frame_noise_has_its_own_seed_whatever_the_length()
    {
        using var scope = NewDisposeScope();
        var (longer, shorter) = (Draw(_perFrame, 20), Draw(_perFrame, 3));
        Assert.Equal(0, Goldens.Difference(longer[.., .., ..3], shorter));
        for (var frame = 0; frame < 20; frame++)
            Assert.Equal(0, Goldens.Difference(longer.narrow(2, frame, 1), OfSeed(Seed + (ulong)frame)));
        Assert.Equal(0, Goldens.Difference(Draw(_perFrame with { Seed = ulong.MaxValue }, 2).narrow(2, 1, 1), OfSeed(0)));
    }

    [Theory]
    [InlineData(NoiseKind.Random)]
    [InlineData(NoiseKind.Repeated)]
    [InlineData(NoiseKind.Shuffled)]
    [InlineData(NoiseKind.Constant)]
    [InlineData(NoiseKind.PerFrame)]
    public void Only_the_frames_that_have_a_seed_are_drawn_anew(NoiseKind kind)
    {
        using var scope = NewDisposeScope();
        var before = _plain with { InitialNoise = kind };
        var after = before with { FrameSeeds = [new(17, 900), new(3, 901)] };
        foreach (var inBlocks in new[] { false, true })
        {
            var (old, made) = (Draw(before, 20, inBlocks), Draw(after, 20, inBlocks));
            Assert.Equal(0, Goldens.Difference(made.narrow(2, 17, 1), OfSeed(900)));
            Assert.Equal(0, Goldens.Difference(made.narrow(2, 3, 1), OfSeed(901)));
            using var others = tensor([.. Enumerable.Range(0, 20).Where(frame => frame is not (3 or 17)).Select(frame => (long)frame)]);
            Assert.Equal(0, Goldens.Difference(made.index_select(2, others), old.index_select(2, others)));
            Assert.NotEqual(0, Goldens.Difference(made.narrow(2, 3, 1), old.narrow(2, 3, 1)));
        }
    }

    [Fact]
    public void The_runs_own_generator_draws_as_without_them()
    {
        using var scope = NewDisposeScope();
        Tensor Next(GenerationRequest request)
        {
            using var generator = InitialLatents.Seeded(Seed);
            StartNoise.Draw(request, Size(20), 3, 2, 2, generator, CPU);
            return randn(8, generator: generator);
        }
        Assert.Equal(0, Goldens.Difference(Next(_perFrame with { FrameSeeds = [new(3, 901)] }), Next(_plain)));
    }

    [Fact]
    public void A_second_run_has_other_noise_for_the_same_seeds()
    {
        using var scope = NewDisposeScope();
        var (first, second) = (Draw(_perFrame, 4), Draw(_perFrame, 4, again: true));
        for (var frame = 0; frame < 4; frame++)
            for (var other = 0; other < 4; other++)
                Assert.NotEqual(0, Goldens.Difference(first.narrow(2, frame, 1), second.narrow(2, other, 1)));
        Assert.Equal(0, Goldens.Difference(second, Draw(_perFrame, 4, again: true)));
    }

    /// <summary>Also where several blocks of frames are drawn one after the other.</summary>
    [Fact]
    public async Task Per_frame_noise_is_the_same_in_files_and_in_memory()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        var request = Small with { Frames = LongRun.Block + 2, Context = new(8, 2), InitialNoise = NoiseKind.PerFrame, FrameSeeds = [new(LongRun.Block, 1)] };
        var inMemory = await pipeline.NumbersAsync(request);
        Assert.Equal(inMemory, await pipeline.NumbersAsync(request with { WorkFolder = _folder["work"] }));
        Assert.NotEqual(inMemory, await pipeline.NumbersAsync(request with { FrameSeeds = [] }));
    }

    [Fact]
    public async Task A_frames_seed_changes_clips_made_from_a_video_and_second_runs()
    {
        using var pipeline = await NanoPipeline.LoadAsync();
        await VideoWriter.WriteAsync(_folder["video/"], new(3, 32, 32, new byte[3 * 32 * 32 * 3]), 8, "{}", cancellationToken: TestContext.Current.CancellationToken);
        foreach (var request in new[] { Small with { Source = new(SourceKind.Video, _folder["video"], 1) }, Small with { Hires = new(1, 1) } })
        {
            var seeded = request with { FrameSeeds = [new(2, 77)] };
            var made = await pipeline.NumbersAsync(seeded);
            Assert.NotEqual(made, await pipeline.NumbersAsync(request));
            Assert.Equal(made, await pipeline.NumbersAsync(seeded));
        }
    }

    [Fact]
    public async Task Seeds_of_frames_that_cannot_be_are_refused()
    {
        Assert.Equal(new FrameSeed(8, ulong.MaxValue), FrameSeed.Parse("8:18446744073709551615"));
        foreach (var wrong in new[] { "8", "8:", ":8", "-1:8", "8:-1", "8:1:2", "8:1.5" })
            Assert.Contains("FRAME:SEED", Assert.Throws<RequestException>(() => FrameSeed.Parse(wrong)).Message);
        using var pipeline = await NanoPipeline.LoadAsync();
        foreach (var (reason, seeds) in new (string, FrameSeed[])[] { ("0 to 2", [new(3, 1)]), ("0 to 2", [new(-1, 1)]), ("2 seeds", [new(1, 1), new(1, 2)]) })
            Assert.Contains(reason, (await Assert.ThrowsAsync<RequestException>(() => pipeline.GenerateAsync(Small with { FrameSeeds = seeds }))).Message);
    }

    [Fact]
    public async Task They_are_given_on_the_command_line_recorded_and_made_again()
    {
        string[] small = ["--frames", "3", "--width", "32", "--height", "32", "--steps", "1", "--seed", "7"];
        var (code, _, error) = await CliProcess.RunAsync(["generate", "a dog", .. small, .. Model, "--noise", "per-frame", "--frame-seed", "1:40", "--frame-seed", "2:41", "--out", _folder["a.webp"]]);
        Assert.True(code == 0, error);
        var recipe = Recipe.FromJson(RecipeReader.Read(_folder["a.webp"]), "");
        Assert.Equal(NoiseKind.PerFrame, recipe.InitialNoise);
        Assert.Equal([new FrameSeed(1, 40), new FrameSeed(2, 41)], recipe.FrameSeeds);
        Assert.Equal(recipe.FrameSeeds, recipe.ToRequest().FrameSeeds);

        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["a.webp"], "--out", _folder["b.webp"]);
        Assert.True(code == 0, error);
        Assert.Equal((await VideoReader.ReadAsync(_folder["a.webp"])).Frames.Pixels.ToArray(), (await VideoReader.ReadAsync(_folder["b.webp"])).Frames.Pixels.ToArray());

        (code, _, error) = await CliProcess.RunAsync(["generate", "a dog", .. small, .. Model, "--noise", "perframe", "--out", _folder["c.webp"]]);
        Assert.Equal(2, code);
        Assert.Contains("per-frame", error);
    }

    private static GenerationRequest Small => new("A painting of a squirrel eating a burger, 4k") { Frames = 3, Steps = 1, Seed = Seed, Height = 32, Width = 32, GuidanceScale = 1 };

    private static ClipSize Size(int frames) => new(2, frames, 24, 16);

    private static Tensor OfSeed(ulong seed) => InitialLatents.Draw(InitialLatents.Seeded(seed), 2, 1, 3, 2, 2);

    private static Tensor Draw(GenerationRequest request, int frames, bool inBlocks = false, bool again = false)
    {
        using var generator = InitialLatents.Seeded(request.Seed);
        return inBlocks
            ? cat([.. StartNoise.DrawBlocks(request, Size(frames), LongRun.Blocks(frames), 3, 2, 2, generator, CPU)], 2)
            : StartNoise.Draw(request, Size(frames), 3, 2, 2, generator, CPU, again);
    }
}
