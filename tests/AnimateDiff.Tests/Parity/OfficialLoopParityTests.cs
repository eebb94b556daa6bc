using System.Text.Json;

namespace AnimateDiff.Tests.Parity;

public class OfficialLoopParityTests
{
    // UNetParityTests says why tiny images are ill-conditioned. So the reference is compared with the same steps in fp64, and may differ by its own rounding
    // (9.3e-4, 1.9e-5 and 2.8e-5 of a standard deviation); this network in fp32 is up to 9.3e-4, 2.7e-5 and 1.2e-4 from fp64.
    [Theory]
    [InlineData("v1", 1e-3)]
    [InlineData("v2", 1e-4)]
    [InlineData("v3", 1e-4)]
    public void Only_rounding_parts_six_guided_steps_and_the_official_code(string motion, double rounding)
    {
        using var scope = NewDisposeScope();
        var (exact, expected) = Denoise(motion, ScalarType.Float64);
        Assert.InRange(Goldens.Difference(expected, exact), 0, rounding);
        Assert.InRange(Goldens.Difference(Denoise(motion, ScalarType.Float32).Latents, exact), 0, 2 * rounding);
    }

    [Theory]
    [InlineData("v2")]
    [InlineData("v3")]
    public void Six_guided_ddim_steps_equal_the_official_code(string motion)
    {
        using var scope = NewDisposeScope();
        var (latents, expected) = Denoise(motion, ScalarType.Float32);
        Assert.InRange(Goldens.Difference(latents, expected), 0, Goldens.OtherKernels ? 2e-4 : 1e-4);
    }

    // Latents after the steps and those of the reference, both in units of the latter's standard deviation.
    private static (Tensor Latents, Tensor Expected) Denoise(string motion, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet(motion, official: true, dtype);
        using var golden = Goldens.Case($"official-loop-{motion}");
        var parameters = JsonDocument.Parse(Goldens.CaseJson($"official-loop-{motion}")).RootElement;
        int[] timesteps = [.. parameters.GetProperty("timesteps").EnumerateArray().Select(step => step.GetInt32())];
        var guidance = parameters.GetProperty("guidance").GetDouble();
        var alphas = (1 - linspace(0.00085, 0.012, 1000, ScalarType.Float32)).cumprod(0);

        using var text = unet.Prepare(cat([golden["uncond"].Read(), golden["cond"].Read()]));
        var latents = golden["initial"].Read().to(dtype);
        for (var i = 0; i < timesteps.Length; i++)
        {
            var halves = unet.call(cat([latents, latents]), tensor(new[] { timesteps[i] }), text).chunk(2);
            var noise = halves[0] + guidance * (halves[1] - halves[0]);
            var now = alphas[timesteps[i]].item<float>();
            var next = i + 1 < timesteps.Length ? alphas[timesteps[i + 1]].item<float>() : 1;
            latents = Math.Sqrt(next) * (latents - Math.Sqrt(1 - now) * noise) / Math.Sqrt(now) + Math.Sqrt(1 - next) * noise;
        }
        var expected = golden["latents"].Read();
        var unit = expected.std();
        return ((latents / unit).MoveToOuterDisposeScope(), (expected / unit).MoveToOuterDisposeScope());
    }
}
