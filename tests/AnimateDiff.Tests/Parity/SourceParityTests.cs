using AnimateDiff.Noise;
using AnimateDiff.Tests.Text;

namespace AnimateDiff.Tests.Parity;

/// <summary>Video-to-video from frames, prompt and seed to frames, against diffusers (cases/pipe-vid2vid).</summary>
public class SourceParityTests
{
    [Fact]
    public async Task Frames_of_a_video_made_anew_equal_those_of_diffusers()
    {
        using var reference = Goldens.Case("pipe-vid2vid");
        using var scope = NewDisposeScope();
        var settings = ReferenceModels.Settings("pipe-vid2vid");
        var call = settings.GetProperty("call");
        var request = new GenerationRequest(call.GetProperty("prompt").GetString()!)
        {
            NegativePrompts = [call.GetProperty("negative_prompt").GetString()!],
            Steps = call.GetProperty("num_inference_steps").GetInt32(),
            GuidanceScale = call.GetProperty("guidance_scale").GetDouble(),
            Seed = settings.GetProperty("seed").GetUInt64(),
            Source = new(SourceKind.Video, Goldens.Input("video-in"), call.GetProperty("strength").GetDouble()),
            Truncate = true,
            Semantics = Semantics.Diffusers,
        };
        var sampler = Scheduler.Create("ddim", null, request.Steps);
        Assert.Equal(("linear", "leading"), (sampler.Settings["beta_schedule"], sampler.Settings["timestep_spacing"]));
        var options = new PipelineOptions { Base = Goldens.Model("nano-sd15"), Motion = ReferenceModels.DiffusersMotion("v3") };
        using var pipeline = await AnimateDiffPipeline.LoadAsync(options, RecordedTokenizer.Load());

        var (latents, videos) = await pipeline.GenerateTensorsAsync(request, sampler);

        var final = reference["latents"].Read();
        Assert.InRange(Goldens.Difference(latents, final) / final.std().item<float>(), 0, 1e-3);
        var expected = reference["frames"].Read();                                              // [1, F, 3, H, W] in 0…1
        Assert.InRange(Goldens.Difference(videos, expected), 0, 1e-3);
        var (actual8, expected8) = ((videos * 255).round().to(ScalarType.Byte), (expected * 255).round().to(ScalarType.Byte));
        Assert.InRange(actual8.eq(expected8).to(ScalarType.Float64).mean().item<double>(), 0.999, 1);
    }
}
