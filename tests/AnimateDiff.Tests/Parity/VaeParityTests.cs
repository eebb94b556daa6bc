using AnimateDiff.Vae;

namespace AnimateDiff.Tests.Parity;

public class VaeParityTests
{
    [Fact]
    public void Encoder_equals_diffusers()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var vae = UNetTestModels.Vae();
        using var golden = Goldens.Case("vae");
        using var latents = vae.Encode(golden["image"].Read());
        Assert.InRange(Goldens.Difference(latents.Mean, golden["mean"].Read()), 0, 2e-5);
        Assert.InRange(Goldens.Difference(latents.LogVar, golden["logvar"].Read()), 0, 2e-5);
        using var generator = new Generator(0);
        Assert.InRange(Goldens.Difference(latents.Sample(generator), golden["sample_seed0"].Read()), 0, 2e-5);
    }

    [Fact]
    public void Decoder_equals_diffusers()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var vae = UNetTestModels.Vae();
        using var golden = Goldens.Case("vae");
        Assert.InRange(Goldens.Difference(vae.Decode(golden["z"].Read()), golden["decoded"].Read()), 0, 2e-5);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(99)]
    public void Frames_in_chunks_equal_the_clip_as_a_whole(int chunk)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var vae = UNetTestModels.Vae();
        using var golden = Goldens.Case("vae");
        var z = golden["z"].Read();                                                                         // two images become frames 0, 1, 0, 1, 0, 1, 0 of one clip
        var clip = z.repeat(4, 1, 1, 1)[..7].transpose(0, 1).unsqueeze(0) * vae.Config.ScalingFactor;       // [1, 4, 7, h, w]
        var frames = new List<Tensor>();
        vae.DecodeFrames(clip, chunk, (first, images) =>
        {
            Assert.Equal(frames.Sum(part => part.shape[0]), first);
            Assert.InRange(images.shape[0], 1, chunk);
            frames.Add(images.clone().DetachFromDisposeScope());
        });
        var expected = golden["decoded"].Read().repeat(4, 1, 1, 1)[..7];
        Assert.InRange(Goldens.Difference(cat(frames), expected), 0, 2e-5);
        frames.ForEach(part => part.Dispose());
    }

    [Fact]
    public void Decoding_stops_between_chunks_when_cancelled()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var vae = UNetTestModels.Vae();
        using var cancellation = new CancellationTokenSource();
        var chunks = 0;
        Assert.Throws<OperationCanceledException>(() => vae.DecodeFrames(randn([1, 4, 5, 2, 2]), 2, (_, _) =>
        {
            chunks++;
            cancellation.Cancel();
        }, cancellation.Token));
        Assert.Equal(1, chunks);
    }

    [Fact]
    public void Vae_leaves_no_tensor_behind()
    {
        using var vae = UNetTestModels.Vae();
        using var images = rand([2, 3, 16, 16]);
        using var latents = randn([1, 4, 3, 2, 2]);
        using var _ = inference_mode();
        DisposeScopeManager.Statistics.Reset();
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var i = 0; i < 5; i++)
        {
            using var encoded = vae.Encode(images);
            using var sample = encoded.Sample();
            vae.DecodeFrames(latents, 2, (_, _) => { });
        }
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }
}
