namespace AnimateDiff.Tests.Sampling;

public class QualityOptionsTests
{
    [Fact]
    public void Options_are_read_from_text()
    {
        Assert.Equal(new FreeU(0.9, 0.2, 1.2, 1.4), FreeU.Parse("0.9,0.2,1.2,1.4"));
        Assert.Equal((3.5, PerturbedAttention.UsualLayers), (PerturbedAttention.Parse("3.5").Scale, PerturbedAttention.Parse("3.5").Layers));
        Assert.Equal(["mid", "up_blocks.1"], PerturbedAttention.Parse("3:mid,up_blocks.1").Layers);
        Assert.Equal(new FreeNoise(16, 4), FreeNoise.Parse("16:4"));
        Assert.Equal(new FrameContext(16, 4), FrameContext.Parse("16:4"));
        Assert.Equal(new FrameContext(16, 4, Closed: true), FrameContext.Parse("16:4:closed"));
        foreach (var wrong in new[] { "", "1,2,3", "1,2,3,x" })
            Assert.Contains("S1,S2,B1,B2", Assert.Throws<RequestException>(() => FreeU.Parse(wrong)).Message);
        Assert.Contains("SCALE:LAYERS", Assert.Throws<RequestException>(() => PerturbedAttention.Parse("mid")).Message);
        Assert.Contains("LENGTH:STRIDE", Assert.Throws<RequestException>(() => FreeNoise.Parse("16")).Message);
        foreach (var wrong in new[] { "16", "16:-4", "16:4:open", "16:4:closed:x" })
            Assert.Contains("LENGTH:OVERLAP", Assert.Throws<RequestException>(() => FrameContext.Parse(wrong)).Message);
    }

    public static TheoryData<string, GenerationRequest> Refusals()
    {
        var plain = new GenerationRequest("a");
        return new()
        {
            { "both decide", plain with { Context = new(16, 4), FreeNoise = new(16, 4) } },
            { "there are no windows", plain with { InitialNoise = NoiseKind.Repeated } },
            { "there are no windows", plain with { InitialNoise = NoiseKind.Shuffled } },
            { "overlap of 16", plain with { Context = new(16, 16) } },
            { "overlap of -1", plain with { Context = new(16, -1) } },
            { "1:1", plain with { FreeNoise = new(1, 1) } },
            { "16:17", plain with { FreeNoise = new(16, 17) } },
            { "needs guidance", plain with { GuidanceRescale = 0.5, GuidanceScale = 1 } },
            { "0 to 1", plain with { GuidanceRescale = 1.5 } },
            { "1 runs", plain with { FreeInit = 1 } },
            { "FreeU", plain with { FreeU = new(0, 1, 1, 1) } },
            { "-1", plain with { PerturbedAttention = new(-1, ["mid"]) } },
            { "no layers", plain with { PerturbedAttention = new(1, [""]) } },
            { "regular expression", plain with { PerturbedAttention = new(1, ["("]) } },
        };
    }

    [Theory]
    [MemberData(nameof(Refusals), DisableDiscoveryEnumeration = true)]
    public void What_cannot_be_done_is_refused_with_the_reason(string reason, GenerationRequest request)
        => Assert.Contains(reason, Assert.Throws<RequestException>(request.Validate).Message);
}
