using System.Text.Json;
using System.Text.RegularExpressions;
using AnimateDiff.Noise;

namespace AnimateDiff.Tests.Parity;

/// <summary>Every sampler against diffusers' class of it: the step plan, the scaled inputs, the trajectory and the noised samples.</summary>
public partial class SchedulerParityTests
{
    private const double Tolerance = 1e-4;

    public static TheoryData<string, string> Cases => new()
    {
        { "scheduler-ddim", "ddim" },
        { "scheduler-ddim-eta", "ddim" },
        { "scheduler-ddim-linspace", "ddim" },
        { "scheduler-ddim-trailing-zsnr-v", "ddim" },
        { "scheduler-ddpm", "ddpm" },
        { "scheduler-euler", "euler" },
        { "scheduler-euler-karras", "euler" },
        { "scheduler-euler-trailing", "euler" },
        { "scheduler-euler-ancestral", "euler-a" },
        { "scheduler-dpmpp-2m", "dpmpp-2m" },
        { "scheduler-dpmpp-2m-karras", "dpmpp-2m-karras" },
        { "scheduler-dpmpp-2m-sde-karras", "dpmpp-2m-sde-karras" },
        { "scheduler-dpmpp-2s", "dpmpp-2s" },
        { "scheduler-unipc", "unipc" },
        { "scheduler-pndm", "pndm" },
        { "scheduler-lms", "lms" },
        { "scheduler-heun", "heun" },
        { "scheduler-kdpm2", "kdpm2" },
        { "scheduler-lcm", "lcm" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Run_equals_diffusers(string name, string scheduler)
    {
        using var scope = NewDisposeScope();
        using var reference = Goldens.Case(name);
        Tensor Read(string tensor) => reference[tensor].Read();

        var (sampler, seed) = Build(name, scheduler);
        AssertTimesteps(Read("timesteps").data<double>().ToArray(), sampler.Timesteps);
        if (reference.ContainsKey("sigmas"))
            Assert.True(Goldens.Difference(tensor(sampler.Sigmas.ToArray()), Read("sigmas")) < Tolerance);
        else
            Assert.Empty(sampler.Sigmas);

        var (inputs, trajectory) = (Read("scaled_inputs"), Read("trajectory"));
        using var generator = new Generator(seed);
        using var run = sampler.Start();
        var sample = Read("initial");
        for (var i = 0; i < sampler.Timesteps.Count; i++)
        {
            var input = sampler.ScaleModelInput(sample, i);
            Assert.True(Goldens.Difference(input, inputs[i]) < Tolerance, $"scaled input {i}: {Goldens.Difference(input, inputs[i]):e2}");
            sample = run.Step((0.7 * input + 0.1 * i).tanh(), i, sample, generator);
            Assert.True(Goldens.Difference(sample, trajectory[i]) < Tolerance, $"sample after {i}: {Goldens.Difference(sample, trajectory[i]):e2}");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Noised_samples_equal_diffusers(string name, string scheduler)
    {
        using var scope = NewDisposeScope();
        using var reference = Goldens.Case(name);
        var (sampler, _) = Build(name, scheduler);
        var noised = sampler.AddNoise(reference["add_noise_x"].Read(), reference["add_noise_n"].Read(), [sampler.Timesteps[0], sampler.Timesteps[1]]);
        Assert.True(Goldens.Difference(noised, reference["add_noise"].Read()) < Tolerance);
    }

    // Whole timesteps must be equal. A fraction comes from a logarithm in single precision, whose last bit differs from library to library.
    private static void AssertTimesteps(double[] expected, IReadOnlyList<double> actual)
    {
        Assert.Equal(expected.Length, actual.Count);
        foreach (var (wanted, found) in expected.Zip(actual))
            Assert.Equal(wanted, found, wanted == Math.Floor(wanted) ? 0.0 : Tolerance);
    }

    // The case's configuration is read as a scheduler_config.json would be; Python's bare infinities included.
    private static (Scheduler Sampler, ulong Seed) Build(string name, string scheduler)
    {
        var json = Goldens.CaseJson(name);
        using var document = JsonDocument.Parse(Infinity().Replace(json, "\"-Infinity\""));
        var root = document.RootElement;
        var config = root.GetProperty("config").GetRawText();
        var eta = root.GetProperty("eta").GetDouble();
        var options = eta > 0 ? new Dictionary<string, string> { ["eta"] = $"{eta}" } : null;
        var sampler = Scheduler.FromConfigJson(config, root.GetProperty("steps").GetInt32(), scheduler, options);
        return (sampler, root.GetProperty("generator_seed").GetUInt64());
    }

    [GeneratedRegex("-Infinity")]
    private static partial Regex Infinity();
}
