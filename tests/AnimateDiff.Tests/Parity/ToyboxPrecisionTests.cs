using AnimateDiff.Tests.Finishing;

namespace AnimateDiff.Tests.Parity;

/// <summary>The embedded model in bf16 shows what it shows in fp32.</summary>
public class ToyboxPrecisionTests
{
    [Fact]
    public async Task In_bf16_clips_are_near_those_of_fp32()
    {
        var models = Path.Combine(Goldens.Repository, "models", "toybox");
        var request = new GenerationRequest(["a red ball moves right", "a blue star moves up at night"]) { Seed = 3, Steps = 8, GuidanceScale = 4 };
        var clips = new List<byte[]>();
        foreach (var dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 })
        {
            using var pipeline = await AnimateDiffPipeline.LoadAsync(new() { Base = Path.Combine(models, "base"), Motion = Path.Combine(models, "motion"), DType = dtype });
            clips.Add([.. (await pipeline.GenerateAsync(request)).Videos.SelectMany(video => video.Pixels.ToArray())]);
        }
        Assert.InRange(Scenes.Psnr(clips[0], clips[1]), 35, double.PositiveInfinity);
    }
}
