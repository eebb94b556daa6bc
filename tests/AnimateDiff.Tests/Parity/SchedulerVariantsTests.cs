using System.Globalization;
using AnimateDiff.Noise;

namespace AnimateDiff.Tests.Parity;

/// <summary>
/// Every option that changes a sampler's path, against diffusers. SchedulerVariants.tsv holds what diffusers (58eb52c080) ends on after
/// a whole run over four numbers: x = (1, −½, ¼, −2)·init_noise_sigma, model output tanh(0.7·scaled input + 0.1·i) for evaluation i, noise from
/// a CPU generator with seed 123, options on top of linear β 0.00085…0.012 (ddim: steps_offset 1; ddim and ddpm: clip_sample false; pndm:
/// skip_prk_steps true).
/// </summary>
public class SchedulerVariantsTests
{
    public static TheoryData<string> Samplers => [.. Scheduler.All.Select(info => info.Name).Intersect(Table.Select(row => row[0]))];

    private static readonly string[][] Table =
    [
        .. File.ReadLines(Path.Combine(Goldens.Repository, "tests", "AnimateDiff.Tests", "Parity", "SchedulerVariants.tsv")).Skip(1)
            .Select(line => line.Split('\t')),
    ];

    [Theory]
    [MemberData(nameof(Samplers))]
    public void Options_change_the_run_as_in_diffusers(string name)
    {
        foreach (var row in Table.Where(row => row[0] == name))
        {
            using var scope = NewDisposeScope();
            var what = $"{row[0]} {row[1]} with {row[2]} steps";
            var options = row[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(option => option.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);
            var scheduler = Scheduler.Create(name, options, (int)Number(row[2]));
            Assert.True(scheduler.ModelEvaluations == Number(row[3]), what);
            Assert.True(Math.Abs(scheduler.Timesteps.Sum() - Number(row[4])) < 0.01, $"{what}: timesteps");

            using var run = scheduler.Start();
            using var generator = new Generator(123);
            var sample = tensor(new[] { 1f, -0.5f, 0.25f, -2f }).view(1, 4, 1, 1, 1) * scheduler.InitNoiseSigma;
            for (var i = 0; i < scheduler.Timesteps.Count; i++)
                sample = run.Step((0.7 * scheduler.ScaleModelInput(sample, i) + 0.1 * i).tanh(), i, sample, generator);
            var expected = tensor(row[5..].Select(Number).ToArray()).view(1, 4, 1, 1, 1);
            var difference = Goldens.Difference(sample / (expected.abs() + 1), expected / (expected.abs() + 1));
            // in single precision the last digit of a sample at σ = 40,000, where cosine schedules start, is worth 0.004
            Assert.True(difference < 1e-4 + 1e-7 * scheduler.InitNoiseSigma, $"{what}: {difference:e1}");
        }
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
