using AnimateDiff.Noise;
using AnimateDiff.Noise.Samplers;
using AnimateDiff.Tests.Text;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Parity;

/// <summary>DDIM inversion against diffusers' DDIMInverseScheduler.</summary>
public sealed class InversionParityTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Steps_equal_those_of_diffusers()
    {
        using var scope = NewDisposeScope();
        using var reference = Goldens.Case("scheduler-ddim-inverse");
        var inverse = new DdimInverseScheduler(Sampler("scheduler-ddim-inverse"));
        Assert.Equal(reference["timesteps"].Read().to(ScalarType.Float64).data<double>().ToArray(), inverse.Timesteps);

        var (inputs, trajectory) = (reference["scaled_inputs"].Read(), reference["trajectory"].Read());
        using var run = inverse.Start();
        var sample = reference["initial"].Read();
        for (var i = 0; i < inverse.Timesteps.Count; i++)
        {
            var input = inverse.ScaleModelInput(sample, i);
            Assert.InRange(Goldens.Difference(input, inputs[i]), 0, 1e-5);
            sample = run.Step((0.7 * input + 0.1 * i).tanh(), i, sample);
            Assert.InRange(Goldens.Difference(sample, trajectory[i]), 0, 1e-5);
        }
    }

    [Fact]
    public async Task Latents_of_a_clip_become_the_noise_that_diffusers_finds()
    {
        using var reference = Goldens.Case("ddim-inversion");
        var settings = ReferenceModels.Settings("ddim-inversion");
        var sampler = Sampler("ddim-inversion");
        using (var clean = reference["latents0"].Read())
            LatentsFile.Write(_folder["clean.safetensors"], clean, null);
        using var pipeline = await AnimateDiffPipeline.LoadAsync(
            new() { Base = Goldens.Model("nano-sd15"), Motion = ReferenceModels.DiffusersMotion(settings.GetProperty("motion").GetString()!) }, RecordedTokenizer.Load());

        await pipeline.InvertAsync(new GenerationRequest(settings.GetProperty("prompt").GetString()!)
        {
            Source = new(SourceKind.Latents, _folder["clean.safetensors"]),
            Steps = sampler.Steps,
            SchedulerOptions = sampler.Settings,
            GuidanceScale = 1,
            Truncate = true,
            Semantics = Semantics.Diffusers,
        }, _folder["noise.safetensors"]);

        using var file = SafetensorsFile.Open(_folder["noise.safetensors"]);
        using var scope = NewDisposeScope();
        var (found, expected) = (file["latents"].Read(), reference["inverted"].Read());
        Assert.InRange(Goldens.Difference(found, expected), 0, 1e-4);
    }

    private static Scheduler Sampler(string name)
    {
        var settings = ReferenceModels.Settings(name);
        var config = settings.GetProperty(settings.TryGetProperty("config", out _) ? "config" : "scheduler").GetRawText();
        return Scheduler.FromConfigJson(config, settings.GetProperty("steps").GetInt32(), "ddim");
    }
}
