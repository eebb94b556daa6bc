using AnimateDiff.Noise;
using AnimateDiff.Sampling;

namespace AnimateDiff.Tests.Sampling;

public class StartNoiseTests
{
    private static readonly GenerationRequest _plain = new("a") { Context = new(8, 4) };

    [Fact]
    public void Random_noise_is_one_draw()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(0, Goldens.Difference(Draw(_plain), InitialLatents.Draw(InitialLatents.Seeded(5), 2, 20, 3, 2, 2)));
    }

    [Fact]
    public void Constant_noise_is_one_frame_and_repeated_noise_one_window()
    {
        using var scope = NewDisposeScope();
        var constant = Draw(_plain with { InitialNoise = NoiseKind.Constant });
        Assert.Equal(0, Goldens.Difference(constant, constant.roll([1], [2])));
        var repeated = Draw(_plain with { InitialNoise = NoiseKind.Repeated });
        Assert.Equal(0, Goldens.Difference(repeated[.., .., 8..], repeated[.., .., ..12]));
        Assert.Equal(0, Goldens.Difference(repeated[.., .., ..8], InitialLatents.Draw(InitialLatents.Seeded(5), 2, 8, 3, 2, 2)));
        Assert.NotEqual(0, Goldens.Difference(repeated[.., .., 1], repeated[.., .., 0]));
    }

    [Theory]
    [InlineData(20, 8, 4)]
    [InlineData(21, 8, 3)]
    [InlineData(6, 8, 4)]
    public void Shuffled_frames_are_those_of_one_window_earlier(int frames, int length, int stride)
    {
        using var generator = InitialLatents.Seeded(1);
        var from = StartNoise.Shuffle(frames, length, stride, generator);
        Assert.Equal(Enumerable.Range(0, Math.Min(frames, length)).Select(frame => (long)frame), from.Take(length));
        for (var start = length; start + stride <= frames; start += stride)
            Assert.Equal(from[(start - length)..(start - length + stride)].Order(), from[start..(start + stride)].Order());
        Assert.All(from, frame => Assert.InRange(frame, 0, length - 1));
    }

    private static Tensor Draw(GenerationRequest request)
    {
        using var generator = InitialLatents.Seeded(5);
        return StartNoise.Draw(request, new ClipSize(2, 20, 24, 16), 3, 2, 2, generator, CPU);
    }
}
