namespace AnimateDiff.Tests.Parity;

public class UNetParityTests
{
    [Fact]
    public void Image_unet_equals_diffusers()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet();
        using var golden = Goldens.Case("unet2d");
        var output = unet.Predict(golden["sample"].Read().unsqueeze(2), golden["timestep"].Read(), golden["encoder_hidden_states"].Read());
        Assert.InRange(Goldens.Difference(output.squeeze(2), golden["out"].Read()), 0, 2e-5);
    }

    [Theory]
    [InlineData("v1")]
    [InlineData("v2")]
    [InlineData("v3")]
    public void Unet_with_motion_equals_diffusers(string motion) => EqualsGolden($"unet-motion-{motion}", motion, official: false, 5e-5);

    // At 8×8 latents the innermost images of the reference model are one pixel, and the official motion modules normalise frames for themselves: a group is two
    // values, some of them apart by a 5000th of their size. That multiplies fp32 rounding by thousands in each of five or six modules: with v1 and v2 the reference
    // differs from its own network computed in fp64 by 1.4e-3 and 2.5e-2, and so may any other order of the sums. A wrong normalisation differs by 0.8.
    [Theory]
    [InlineData("v1", 5e-3)]
    [InlineData("v2", 5e-2)]
    [InlineData("v3", 5e-5)]
    public void Unet_with_motion_equals_the_official_code(string motion, double tolerance) => EqualsGolden($"official-unet-motion-{motion}", motion, official: true, tolerance);

    private static void EqualsGolden(string name, string motion, bool official, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var unet = UNetTestModels.UNet(motion, official);
        using var golden = Goldens.Case(name);
        var (timestep, text) = (golden["timestep"].Read(), golden["encoder_hidden_states"].Read());
        var wide = unet.Predict(golden["sample_wide"].Read(), timestep[..1], text[..1]);
        var output = unet.Predict(golden["sample"].Read(), timestep, text);
        Assert.InRange(Goldens.Difference(wide, golden["out_wide"].Read()), 0, 5e-5);
        Assert.InRange(Goldens.Difference(output, golden["out"].Read()), 0, tolerance);
    }
}
