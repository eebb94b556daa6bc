using AnimateDiff.Training;
using AnimateDiff.Training.Logging;
using AnimateDiff.Weights;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Tests.Training;

/// <summary>What settings of a recipe do to a run: two runs that must agree, or differ in one thing.</summary>
public sealed class TrainerTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // A large ε makes the updates proportional to the gradients; without it, AdamW's first steps are signs, which roundings near zero turn over.
    [Fact]
    public async Task Four_passes_of_one_are_two_of_two()
    {
        string[] common = ["steps=2", "adam_epsilon=1", "checkpoint_every=1", "scale_lr=true", "learning_rate=0.002"];
        var (four, two) = (await RunAsync("domain-adapter", [.. common, "batch_size=1", "gradient_accumulation=4"]), await RunAsync("domain-adapter", [.. common, "batch_size=2", "gradient_accumulation=2"]));
        foreach (var (a, b) in TrainingRuns.Losses(four.Folder).Zip(TrainingRuns.Losses(two.Folder)))
            Assert.Equal(a, b, 1e-5);
        var (ours, theirs) = (four.State(2), two.State(2));
        Assert.Contains(ours, entry => entry.Key.EndsWith(".up", StringComparison.Ordinal) && entry.Key.StartsWith("weight.", StringComparison.Ordinal) && entry.Value.Max() > 1e-5);
        string Kind(string name) => name[..name.IndexOf('.')];
        var largest = ours.GroupBy(entry => Kind(entry.Key)).ToDictionary(kind => kind.Key, kind => kind.Max(entry => entry.Value.Max(Math.Abs)));
        foreach (var (name, values) in ours)                                            // sums of fp32 in another order: weights, and moments beside the largest of them
            Assert.InRange(values.Zip(theirs[name], (a, b) => Math.Abs(a - b)).Max(), 0, Kind(name) == "weight" ? 1e-6 : 1e-3 * largest[Kind(name)]);
        Assert.All(Metrics(four), line => Assert.Equal(0.008, line.LearningRate, 1e-12));
    }

    [Fact]
    public async Task The_average_of_the_weights_is_exported_and_validated_and_disturbs_nothing()
    {
        string[] common = ["steps=3", "checkpoint_every=1", "keep_checkpoints=3", "learning_rate=0.02"];
        string[] validated = ["validation.every=1", $"validation.data={{path: {TrainingRuns.Clips}, width: 32, height: 32}}", "validation.samples=1", "validation.buckets=1"];
        var plain = await RunAsync("domain-adapter", common);
        var watched = await RunAsync("domain-adapter", [.. common, .. validated]);
        var averaged = await RunAsync("domain-adapter", [.. common, .. validated, "ema_decay=0.5"]);
        Assert.Equal(TrainingRuns.Losses(plain.Folder), TrainingRuns.Losses(watched.Folder));
        Assert.Equal(TrainingRuns.Losses(plain.Folder), TrainingRuns.Losses(averaged.Folder));

        var distances = new List<double>();
        var exported = averaged.Weights("domain-adapter.safetensors");
        var states = Enumerable.Range(1, 3).Select(step => averaged.State(step)).ToArray();
        foreach (var name in states[0].Keys.Where(name => name.StartsWith("weight.", StringComparison.Ordinal) && name.EndsWith(".up", StringComparison.Ordinal)))
        {
            var expected = new double[states[0][name].Length];                          // matrices Up begin at zero
            for (var step = 1; step <= 3; step++)
                expected = [.. expected.Zip(states[step - 1][name], (average, weight) => Math.Min(0.5, (1.0 + step) / (10 + step)) is var kept ? kept * average + (1 - kept) * weight : 0)];
            var file = exported[ProcessorLoraLayout.Official(new LoraName(name["weight.".Length..^".up".Length], LoraPart.Up))];
            Assert.InRange(file.Zip(expected, (a, b) => Math.Abs(a - b)).Max(), 0, 1e-7);
            Assert.Equal(file, states[2]["average" + name["weight".Length..]]);
            distances.Add(file.Zip(states[2][name], (a, b) => Math.Abs(a - b)).Max());
        }
        Assert.InRange(distances.Count(distance => distance > 1e-4), 40, distances.Count);                  // all but queries and keys of single tokens, at the bottom
        double[] Validations(TrainingRuns.Finished run) => [.. Metrics(run, validation: true).Select(line => line.ValidationMean)];
        var (last, mean) = (Validations(watched), Validations(averaged));
        Assert.Equal(last[0], mean[0]);                                                 // before the first step both are the start
        Assert.Equal((4, 4), (last.Length, mean.Length));
        Assert.All(last.Zip(mean).Skip(1), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 1e-9, 1));
    }

    [Fact]
    public async Task Warm_up_and_cosine_are_what_the_metrics_say()
    {
        var run = await RunAsync("domain-adapter", "steps=6", "batch_size=1", "warmup_steps=2", "lr_schedule=cosine", "learning_rate=0.02");
        var expected = new[] { 0.01, 0.02, 0.02, 0.017071067811865475, 0.01, 0.002928932188134525 };        // cosine of 0, π/4, π/2, 3π/4
        Assert.All(Metrics(run).Zip(expected), pair => Assert.Equal(pair.Second, pair.First.LearningRate, 1e-12));
    }

    [Fact]
    public async Task Recomputing_changes_no_bit()
    {
        string[] settings = ["steps=2", "batch_size=1", $"motion={ReferenceModels.OfficialMotion("v2")}", "checkpoint_every=2"];
        var (plain, recomputed) = (await RunAsync("motion-module", settings), await RunAsync("motion-module", [.. settings, "recompute=true"]));
        Assert.Equal(TrainingRuns.Numbers(plain.Folder), TrainingRuns.Numbers(recomputed.Folder));
        Assert.Empty(TrainingRuns.Changed(plain.State(2), recomputed.State(2)));
    }

    [Fact]
    public async Task In_bf16_it_learns_what_it_learns_in_fp32_with_weights_in_fp32()
    {
        string[] settings = ["steps=2", $"motion={ReferenceModels.OfficialMotion("v3")}", "learning_rate=1e-6", "weight_decay=0", "checkpoint_every=1", "keep_checkpoints=2"];
        var (full, half) = (await RunAsync("motion-module", settings), await RunAsync("motion-module", [.. settings, "precision=bf16"]));
        foreach (var (a, b) in TrainingRuns.Losses(full.Folder).Zip(TrainingRuns.Losses(half.Folder)))
            Assert.InRange(b, 0.97 * a, 1.03 * a);
        var (first, second) = (half.State(1), half.State(2));
        var moved = first.Keys.Where(name => name.StartsWith("weight.", StringComparison.Ordinal) && !first[name].AsSpan().SequenceEqual(second[name])).ToArray();
        Assert.Equal(first.Keys.Count(name => name.StartsWith("weight.", StringComparison.Ordinal)), moved.Length);
        var norm = second.First(entry => entry.Key.StartsWith("weight.", StringComparison.Ordinal) && entry.Key.EndsWith("norm1.weight", StringComparison.Ordinal)).Value;
        Assert.Contains(norm, value => BitConverter.SingleToInt32Bits(value) % 0x10000 != 0);               // more digits than bf16 has
    }

    [Fact]
    public async Task A_domain_adapter_and_its_scale_are_in_the_frozen_layers()
    {
        var adapter = Goldens.Model("domain-adapter.ckpt");
        string[] settings = ["steps=1", "batch_size=1"];
        var losses = new List<double>();
        foreach (var given in new[] { "null", $"{adapter}:0", adapter, $"{adapter}:0.5" })
            losses.Add(TrainingRuns.Losses((await RunAsync("motion-module", [.. settings, $"domain_adapter={given}"])).Folder).Single());
        Assert.Equal(losses[0], losses[1]);
        Assert.Equal(3, losses.Distinct().Count());
    }

    private Task<TrainingRuns.Finished> RunAsync(string stage, params string[] settings) => TrainingRuns.RunAsync(_folder, stage, settings);

    private static IEnumerable<MetricsLine> Metrics(TrainingRuns.Finished run, bool validation = false) =>
        MetricsFile.Read(Path.Combine(run.Folder, TrainingLog.Metrics)).Where(line => line.Validation is not null == validation);
}
