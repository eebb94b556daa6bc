using AnimateDiff.Video;

namespace AnimateDiff.Tests.Video;

public sealed class VideoFramesTests
{
    [Fact]
    public void Pixels_are_rounded_half_to_even_and_clamped_as_in_diffusers()
    {
        using var images = torch.tensor(new[] { -2f, -1f, 0f, 1f, 2f, 0.25f, -0.25f, 1f / 255f, 0.999f, -0.999f, 0.5f, 1e-8f }, [1, 3, 2, 2]);
        var frames = VideoFrames.FromTensor(images);
        // 0 and 1e-8 land on 127.5 exactly: the even neighbour is 128
        byte[] planes = [0, 0, 128, 255, 255, 159, 96, 128, 255, 0, 191, 128];
        for (var pixel = 0; pixel < 4; pixel++)
            for (var channel = 0; channel < 3; channel++)
                Assert.Equal(planes[channel * 4 + pixel], frames[0][pixel * 3 + channel]);
    }

    [Fact]
    public void All_bytes_survive_the_way_to_a_tensor_and_back_in_chunks()
    {
        var frames = Clips.Noise(5, 16, 9);
        using var tensor = frames.ToTensor();
        Assert.Equal([5, 3, 9, 16], tensor.shape);
        Assert.Equal(ScalarType.Float32, tensor.dtype);
        Assert.InRange(tensor.abs().max().item<float>(), 0.99f, 1f);
        var builder = new VideoFramesBuilder(5);
        foreach (var (start, count) in new[] { (0, 2), (2, 2), (4, 1) })
            builder.Append(tensor.narrow(0, start, count));
        Assert.True(frames.Pixels.Span.SequenceEqual(builder.Build().Pixels.Span));
    }

    [Fact]
    public void The_decoded_images_of_a_reference_become_its_8_bit_pixels()
    {
        using var reference = Goldens.Case("vae");
        using var decoded = reference["decoded"].Read();                                                            // [2, 3, 64, 48]
        using var expected = decoded.div(2).add(0.5).clamp(0, 1).mul(255).round().to(ScalarType.Byte).permute(0, 2, 3, 1).contiguous();
        Assert.Equal(expected.data<byte>().ToArray(), VideoFrames.FromTensor(decoded).Pixels.ToArray());
    }

    [Fact]
    public void Broken_images_are_reported()
    {
        using var images = torch.full([1, 3, 2, 2], float.NaN);
        Assert.Contains("NaN", Assert.Throws<AnimateDiffException>(() => VideoFrames.FromTensor(images)).Message);
    }

    [Fact]
    public void No_tensor_stays_behind()
    {
        using var images = torch.zeros(1, 3, 2, 2);
        DisposeScopeManager.Statistics.Reset();
        var frames = VideoFrames.FromTensor(images);
        Assert.Equal(0, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        frames.ToTensor().Dispose();
        Assert.Equal(0, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void A_builder_refuses_other_sizes_and_missing_frames()
    {
        using var two = torch.zeros(2, 3, 4, 4);
        using var other = torch.zeros(1, 3, 4, 6);
        var builder = new VideoFramesBuilder(3);
        builder.Append(two);
        Assert.Throws<ArgumentException>(() => builder.Append(other));
        Assert.Throws<ArgumentException>(() => builder.Append(two));
        Assert.Throws<InvalidOperationException>(() => builder.Build());
        Assert.Throws<ArgumentException>(() => new VideoFrames(2, 4, 4, new byte[5]));
    }
}
