using System.Text.Json;
using AnimateDiff.Denoising;

namespace AnimateDiff.Tests;

public sealed class CurveTests
{
    [Theory]
    [InlineData("7.5")]
    [InlineData("-0.25")]
    [InlineData("1E-05")]
    [InlineData("0:9,15:4")]
    [InlineData("3:1")]
    [InlineData("0%:9,60%:5")]
    [InlineData("12.5%:0.1")]
    public void Text_and_json_are_read_back(string text)
    {
        var curve = Curve.Parse(text);
        Assert.Equal(text, curve.ToString());
        var json = JsonSerializer.Serialize(curve);
        Assert.Equal(curve.IsConstant ? text.ToLowerInvariant() : $"\"{text}\"", json.ToLowerInvariant());
        Assert.Equal(curve, JsonSerializer.Deserialize<Curve>(json));
        Assert.NotEqual(curve, Curve.Parse("3:2"));
    }

    [Fact]
    public void Between_points_it_is_a_line_and_outside_constant()
    {
        var frames = Curve.Parse("10:2, 4:8");                                                  // in any order
        Assert.Equal([8, 8, 8, 8, 8, 7, 6, 5, 4, 3, 2, 2], frames.InFrames(12));
        Assert.Equal(Curve.OverFrames((4, 8), (10, 2)), frames);
        var steps = Curve.OverSteps((0, 9), (50, 5));
        Assert.Equal([9, 7, 5, 5, 5], Enumerable.Range(0, 5).Select(step => steps.AtStep(step, 5).InFrame(0)));
        Assert.Equal(9, steps.AtStep(0, 1).InFrame(7));
        Assert.Equal((Curve)9, steps.AtStep(0, 5));
        Assert.Same(frames, frames.AtStep(3, 5));
        Assert.Equal([0.1f, 0.1f], ((Curve)0.1).InFrames(2));
    }

    [Theory]
    [InlineData("")]
    [InlineData("strong")]
    [InlineData("NaN")]
    [InlineData("0:1,8")]
    [InlineData("0:1,50%:2")]
    [InlineData("-1:1,8:2")]
    [InlineData("0.5:1,8:2")]
    [InlineData("0%:1,101%:2")]
    [InlineData("0:1,0:2")]
    [InlineData("0:1,8:infinity")]
    public void What_is_no_curve_is_refused(string text) => Assert.Throws<RequestException>(() => Curve.Parse(text));

    [Theory]
    [InlineData("a.ckpt", "a.ckpt", "1")]
    [InlineData("a.ckpt:0.5", "a.ckpt", "0.5")]
    [InlineData(@"C:\a.ckpt:-.5", @"C:\a.ckpt", "-0.5")]
    [InlineData("a:8:0.5", "a:8", "0.5")]
    [InlineData("a.ckpt:0:1,8:0", "a.ckpt", "0:1,8:0")]
    [InlineData("hub/a:b.ckpt:0%:1,50%:0.2", "hub/a:b.ckpt", "0%:1,50%:0.2")]
    [InlineData("toybox:zoom-in", "toybox:zoom-in", "1")]
    public void An_adapter_ends_with_its_curve(string text, string path, string curve)
        => Assert.Equal(new Adapter(AdapterRole.Lora, path, Curve.Parse(curve)), Adapter.Parse(AdapterRole.Lora, text));

    [Fact]
    public void Frames_are_guided_by_their_own_scale()
    {
        using var scope = NewDisposeScope();
        var noise = randn([4, 4, 3, 2, 2]);                                                     // two clips with guidance
        Tensor At(double scale, int frame) => Guidance.Combine(noise, scale).narrow(2, frame, 1);
        var guided = Guidance.Combine(noise, Curve.Parse("0:8,2:0"));
        Assert.Equal(0, Goldens.Difference(guided, cat([At(8, 0), At(4, 1), At(1, 2)], 2)));    // 0 is off, which is the positive prompt alone
        Assert.Equal(0, Goldens.Difference(Guidance.Combine(noise, Curve.Parse("0:7.5,2:7.5")), Guidance.Combine(noise, 7.5)));
    }
}
