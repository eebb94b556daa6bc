using AnimateDiff.Denoising;
using AnimateDiff.Vae;

namespace AnimateDiff.Tests.Names;

/// <summary>The names and shapes of a model without numbers are those of the published checkpoints (tests/goldens/names/make_names.py).</summary>
public class ModelNamesTests
{
    [Fact]
    public void Unet_has_the_tensors_of_stable_diffusion()
    {
        using var unet = new UNetMotionModel(new UNetConfig(), device: META);
        Assert.Equal(Golden("unet-sd15"), Names(unet));
        Assert.Equal(859_520_964, unet.parameters().Sum(parameter => parameter.numel()));
    }

    [Fact]
    public void Vae_has_the_tensors_of_stable_diffusion()
    {
        using var vae = new AutoencoderKL(new VaeConfig(), META);
        Assert.Equal(Golden("vae-sd15"), Names(vae));
    }

    [Theory]
    [InlineData("v1", 24, false)]
    [InlineData("v2", 32, true)]
    [InlineData("v3", 32, false)]
    public void Motion_modules_have_the_tensors_of_animatediff(string version, int frames, bool mid)
    {
        using var unet = new UNetMotionModel(new UNetConfig(), new MotionConfig { MotionMaxSeqLength = frames, UseMotionMidBlock = mid }, META);
        var names = Names(unet);
        Assert.Equal(Golden($"motion-{version}"), names.Where(UNetMotionModel.IsMotion));
        Assert.Equal(Golden("unet-sd15"), names.Where(name => !UNetMotionModel.IsMotion(name)));
    }

    [Fact]
    public void Meta_model_has_no_numbers_but_its_positions()
    {
        using var unet = new UNetMotionModel(new UNetConfig(), new MotionConfig(), META);
        Assert.All(unet.parameters(), parameter => Assert.True(parameter.is_meta));
        foreach (var (_, pe) in unet.named_buffers())
        {
            var channels = pe.shape[2];
            Assert.Equal(Math.Sin(31 / Math.Pow(10000, 4.0 / channels)), pe[0, 31, 4].item<float>(), 1e-5);
            Assert.Equal(Math.Cos(31 / Math.Pow(10000, 4.0 / channels)), pe[0, 31, 5].item<float>(), 1e-5);
        }
    }

    private static string[] Golden(string list) => File.ReadAllLines(Path.Combine(Goldens.Repository, "tests", "goldens", "names", $"{list}.txt"));

    private static string[] Names(nn.Module module)
        => [.. module.named_parameters().Select(entry => (entry.name, entry.parameter.shape)).Concat(module.named_buffers().Select(entry => (entry.name, entry.buffer.shape)))
            .Select(entry => $"{entry.name} [{string.Join(", ", entry.shape)}]").Order(StringComparer.Ordinal)];
}
