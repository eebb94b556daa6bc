using System.Text.Json;

namespace AnimateDiff.Tests.Parity;

public class OfficialLoopParityTests
{
    // v1 at 8×8 latents is as ill-conditioned as UNetParityTests says, and its resnets spread one frame's rounding over all of them.
    [Theory]
    [InlineData("v1", 5e-3)]
    [InlineData("v2", 1e-4)]
    [InlineData("v3", 1e-4)]
    public void Six_guided_ddim_steps_equal_the_official_code(string motion, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet(motion, official: true);
        using var golden = Goldens.Case($"official-loop-{motion}");
        var parameters = JsonDocument.Parse(Goldens.CaseJson($"official-loop-{motion}")).RootElement;
        int[] timesteps = [.. parameters.GetProperty("timesteps").EnumerateArray().Select(step => step.GetInt32())];
        var guidance = parameters.GetProperty("guidance").GetDouble();
        var alphas = (1 - linspace(0.00085, 0.012, 1000, ScalarType.Float32)).cumprod(0);

        using var text = unet.Prepare(cat([golden["uncond"].Read(), golden["cond"].Read()]));
        var latents = golden["initial"].Read();
        for (var i = 0; i < timesteps.Length; i++)
        {
            var halves = unet.call(cat([latents, latents]), tensor(new[] { timesteps[i] }), text).chunk(2);
            var noise = halves[0] + guidance * (halves[1] - halves[0]);
            var now = alphas[timesteps[i]].item<float>();
            var next = i + 1 < timesteps.Length ? alphas[timesteps[i + 1]].item<float>() : 1;
            latents = Math.Sqrt(next) * (latents - Math.Sqrt(1 - now) * noise) / Math.Sqrt(now) + Math.Sqrt(1 - next) * noise;
        }
        var expected = golden["latents"].Read();
        Assert.InRange(Goldens.Difference(latents, expected) / expected.std().item<float>(), 0, tolerance);
    }
}
