using System.Diagnostics;
using AnimateDiff.Denoising;
using AnimateDiff.Profiling;
using AnimateDiff.Tests.Parity;
using AnimateDiff.Tests.Text;
using AnimateDiff.Vae;

namespace AnimateDiff.Tests.Profiling;

public class ProfileTests
{
    private static readonly UNetConfig Small = new()
    {
        BlockOutChannels = [8, 16],
        DownBlockTypes = ["CrossAttnDownBlock2D", "DownBlock2D"],
        UpBlockTypes = ["UpBlock2D", "CrossAttnUpBlock2D"],
        LayersPerBlock = 1,
        CrossAttentionDim = 6,
        AttentionHeadDim = 2,
        NormNumGroups = 4,
    };

    private static readonly MotionConfig SmallMotion = new()
    {
        BlockOutChannels = [8, 16],
        MotionLayersPerBlock = 1,
        MotionNumAttentionHeads = 2,
        MotionNormNumGroups = 4,
    };

    /// <summary>
    /// One level of 8 channels at 4×4 (down 1, up 2 layers with attention) and one of 16 at 2×2 (down 1, mid with attention, up 2), 2 clips of 3 frames, 5 tokens
    /// of text. Every count below is written out by hand from the architecture.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Operations_of_a_small_unet_are_those_counted_by_hand(bool convolvesFrames)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var motion = convolvesFrames ? SmallMotion with { Temporal = MotionConfig.Convolution } : SmallMotion;
        using var unet = new UNetMotionModel(Small, motion);
        using var vae = UNetTestModels.Vae();
        using var profile = new Profile(unet, vae);
        using var text = unet.Prepare(randn([2, 5, 6]));
        Assert.Empty(profile.Denoising);                                                                     // once for all steps, so not of the step
        unet.call(randn([2, 4, 3, 4, 4]), full([2], 500.0), text);

        const double images = 2 * 3, large = 16, small = 4;                                                 // places of an image at each level
        static double Conv(double places, double from, double to, double window = 9) => 2 * images * places * from * to * window;
        var convolutions = Conv(large, 4, 8) + Conv(large, 8, 4)                                             // in, out
            + Conv(large, 8, 8) * 2                                                                          // down 0
            + Conv(small, 8, 8)                                                                              // downsampler
            + Conv(small, 8, 16) + Conv(small, 16, 16) + Conv(small, 8, 16, 1)                               // down 1, with a shortcut
            + Conv(small, 16, 16) * 4                                                                        // mid
            + Conv(small, 32, 16) + Conv(small, 16, 16) + Conv(small, 32, 16, 1)                             // up 0, the first: 16 + 16
            + Conv(small, 24, 16) + Conv(small, 16, 16) + Conv(small, 24, 16, 1)                             // up 0, the second: 16 + 8
            + Conv(large, 16, 16)                                                                            // upsampler
            + Conv(large, 24, 8) + Conv(large, 8, 8) + Conv(large, 24, 8, 1)                                 // up 1: 16 + 8
            + Conv(large, 16, 8) + Conv(large, 8, 8) + Conv(large, 16, 8, 1)                                 // up 1: 8 + 8
            + 3 * 2 * Conv(large, 8, 8, 1) + 2 * Conv(small, 16, 16, 1);                                     // projections around the attentions: 3 large, 1 small
        Assert.Equal(convolutions, profile.Denoising[Kind.Convolution].Flop);

        static double Attend(double places, double channels, double seen) => 4 * images * places * channels * seen;
        Assert.Equal(3 * Attend(large, 8, large) + Attend(small, 16, small), profile.Denoising[Kind.SpatialAttention].Flop);
        Assert.Equal(3 * Attend(large, 8, 5) + Attend(small, 16, 5), profile.Denoising[Kind.TextAttention].Flop);

        // Motion modules follow 3 resnets at each size; none in the middle. Each has two attentions over 3 frames, or two convolutions of 3 taps.
        var (attention, convolution) = (2 * 3 * (Attend(large, 8, 3) + Attend(small, 16, 3)), 2 * 3 * (Conv(large, 8, 8, 3) + Conv(small, 16, 16, 3)));
        Assert.Equal(convolvesFrames ? convolution : attention, profile.Denoising[Kind.TemporalAttention].Flop);

        // In units of a C×C product: 4 of the attention in the images (q, k, v, out), 2 of that to the text (q, out), 12 of the feed-forward layer (8 + 4);
        // of a motion module 2 around it, 12 of the feed-forward layer, and 8 of two attentions or 2 after two convolutions.
        static double Square(double places, double channels) => 2 * images * places * channels * channels;
        var (inMotion, time) = (2 + 12 + (convolvesFrames ? 2 : 8), 2.0 * 2 * (8 * 32 + 32 * 32 + 32 * (8 * 3 + 16 * 5)));   // the embedding's, and each resnet's
        Assert.Equal(18 * (3 * Square(large, 8) + Square(small, 16)) + inMotion * 3 * (Square(large, 8) + Square(small, 16)) + time, profile.Denoising[Kind.Linear].Flop);

        Assert.Equal(1, profile.Denoising[Kind.Rest].Calls);
        Assert.Equal(1 + 8 * 2 + 4 * 4 + 6 * 4, profile.Denoising[Kind.Norm].Calls);                         // the last; resnets; transformers; motion modules
    }

    [Fact]
    public void Operations_of_the_vae_s_attention_are_those_counted_by_hand()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet("v3");
        using var vae = UNetTestModels.Vae();
        using var profile = new Profile(unet, vae);
        vae.Encode(rand([1, 3, 16, 16])).Dispose();
        Assert.Empty(profile.Decoding);
        vae.Decode(randn([3, 4, 4, 6]));
        var channels = vae.Config.BlockOutChannels[^1];
        Assert.Equal(2 * 2.0 * 3 * 24 * 24 * channels, profile.Decoding[Kind.SpatialAttention].Flop);
        Assert.Equal(4 * 2.0 * 3 * 24 * channels * channels, profile.Decoding[Kind.Linear].Flop);
    }

    [Fact]
    public void Times_make_up_the_calls_and_an_error_within_one_is_got_over()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var unet = new UNetMotionModel(Small, SmallMotion);
        using var vae = new AutoencoderKL(new VaeConfig { BlockOutChannels = [8, 8], NormNumGroups = 4 });
        using var profile = new Profile(unet, vae);
        using var text = unet.Prepare(randn([2, 5, 6]));
        Assert.ThrowsAny<Exception>(() => unet.call(randn([2, 5, 2, 4, 4]), full([2], 500.0), text));        // 5 channels where there are 4
        Assert.Equal(1, profile.Denoising[Kind.Rest].Calls);
        profile.Denoising.Clear();

        var begun = Stopwatch.GetTimestamp();
        unet.call(randn([2, 4, 2, 4, 4]), full([2], 500.0), text);
        unet.call(randn([2, 4, 2, 4, 4]), full([2], 500.0), text);
        var elapsed = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        Assert.Equal(Enum.GetValues<Kind>().Order(), profile.Denoising.Keys.Order());
        Assert.All(profile.Denoising.Values, work => Assert.True(work.Seconds > 0));
        Assert.InRange(profile.Denoising.Values.Sum(work => work.Seconds), 0, elapsed);
        Assert.Equal(2, profile.Denoising[Kind.Rest].Calls);
    }

    /// <summary>With little memory models come and go, and none comes for being measured.</summary>
    [Fact]
    public async Task Models_that_come_and_go_are_measured()
    {
        var options = new PipelineOptions { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v2.safetensors"), Memory = MemoryUse.Low };
        using var pipeline = await AnimateDiffPipeline.LoadAsync(options, RecordedTokenizer.Load());
        var live = await pipeline.LiveTensorsAsync();
        using var profile = pipeline.Measure();
        Assert.Equal(live, await pipeline.LiveTensorsAsync());
        await pipeline.GenerateAsync(new GenerationRequest("A painting of a squirrel eating a burger, 4k") { Frames = 2, Steps = 1, GuidanceScale = 1, Height = 32, Width = 32 });
        Assert.Equal(1, profile.Denoising[Kind.Rest].Calls);
        Assert.NotEmpty(profile.Decoding);
    }

    [Fact]
    public async Task Measuring_changes_nothing_and_ends()
    {
        var options = new PipelineOptions { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v2.safetensors") };
        using var pipeline = await AnimateDiffPipeline.LoadAsync(options, RecordedTokenizer.Load());
        var request = new GenerationRequest("A painting of a squirrel eating a burger, 4k") { Frames = 3, Steps = 2, Seed = 1 };
        var plain = await pipeline.GenerateAsync(request);
        var live = await pipeline.LiveTensorsAsync();
        Profile profile;
        using (profile = pipeline.Measure())
        {
            var measured = await pipeline.GenerateAsync(request);
            Assert.Equal(plain.Videos[0].Pixels.ToArray(), measured.Videos[0].Pixels.ToArray());
        }
        Assert.Equal(live, await pipeline.LiveTensorsAsync());
        Assert.Equal((2, 1), (profile.Denoising[Kind.Rest].Calls, profile.Decoding[Kind.Rest].Calls));
        var counted = profile.Denoising[Kind.Convolution];
        await pipeline.GenerateAsync(request);
        Assert.Equal(counted, profile.Denoising[Kind.Convolution]);

        var table = ProfileTable.Of(profile);
        Assert.Contains("Denoising: 2 calls of the UNet", table);
        Assert.Contains("Decoding: 1 call of the VAE", table);
        Assert.Contains("attention along frames", table);
    }
}
