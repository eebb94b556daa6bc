using AnimateDiff.Tests.Text;
using AnimateDiff.Toybox;
using AnimateDiff.Toybox.Study;
using AnimateDiff.Video;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Toybox.Study;

/// <summary>The study without models, on made-up measurements, and on reference models.</summary>
public sealed class ToyboxStudyTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private StudyOptions Options => new() { Models = _folder["models"], Output = _folder["docs"], Samples = 8, Steps = 1 };

    private string Measurements => _folder["docs/toybox-study/measurements.jsonl"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Without_models_only_the_renderer_is_measured_and_measured_once()
    {
        await ToyboxStudy.RunAsync(Options);
        var page = await File.ReadAllTextAsync(_folder["docs/toybox-study.md"]);
        foreach (var missing in new[] { "conv1d-finish/motion-module-diffusers", "motion-lora/zoom-in.safetensors", "domain-adapter.safetensors", "training/*/metrics.jsonl" })
            Assert.Matches($"not measured: .*`{missing.Replace("*", @"\*")}`", page);
        Assert.DoesNotContain(_folder.Path, page);                                                                      // names, not this machine's paths
        Assert.Equal(6, page.Split("**not judged**").Length - 1);

        var rows = (await File.ReadAllLinesAsync(Measurements)).Select(line => StudyRow.Parse(line)!).ToArray();
        Assert.Equal(4 * 8, rows.Length);
        Assert.All(rows.Where(row => row.Set == SampleSet.Ways), row => Assert.Equal(row.Asked, row.Shown));
        Assert.All(rows.Where(row => row.System == "rendered-marked"), row => Assert.InRange(row.Mark, 0.8, 1.2));
        Assert.All(rows.Where(row => row is { System: "rendered", Set: SampleSet.Any }), row => Assert.InRange(row.Mark, -0.2, 0.2));
        Assert.All(rows.Where(row => row.System == "rendered-neon"), row => Assert.InRange(row.Neon, 0.6, 1));

        var before = await File.ReadAllTextAsync(Measurements);
        await File.WriteAllTextAsync(Measurements, before[..^40]);                                                      // killed while it wrote
        await ToyboxStudy.RunAsync(Options);
        Assert.Equal(before, await File.ReadAllTextAsync(Measurements));
        Assert.Equal(page, await File.ReadAllTextAsync(_folder["docs/toybox-study.md"]));
    }

    [Theory]
    [InlineData(0.01, 1.0, 0.5, 1, "held held held held")]
    [InlineData(0.90, 1.0, 0.5, 1, "not held, held held held")]
    [InlineData(0.01, 0.1, 0.5, 1, "held not held, not held, held")]
    [InlineData(0.01, 1.0, 0.0, 1, "held held not held, held")]
    [InlineData(0.01, 1.0, 0.5, -1, "held held held not held")]
    public async Task Verdicts_follow_from_the_measurements(double mark, double moves, double look, int zoom, string expected)
    {
        var options = Options with { Parts = "", Samples = 40, Seed = 3 };
        var systems = new StudySystems("", "");
        var rows = new List<StudyRow>();
        void Add(StudySystem system, SampleSet set, Func<ToyScene, double, StudyRow, StudyRow> change) => rows.AddRange(Enumerable.Range(0, options.CountOf(set)).Select(index =>
        {
            var (scene, random) = (set.Scene(options.Seed, index), new ToyRandom(11, index));
            var row = new StudyRow(system.Name, "", system.Rendered is null ? options.Settings : "", set, index, options.Seed, 1, scene.Caption, scene.Movement,
                ToyMovement.Still, 0, 0, 1, 0.001, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
            return change(scene, random.Uniform(0), row);
        }));
        Add(systems.Adapter(0), SampleSet.Any, (_, random, row) => row with { Mark = mark + 0.05 * random });
        Add(systems.Adapter(1), SampleSet.Any, (_, random, row) => row with { Mark = 0.9 + 0.1 * random });
        Add(systems.Convolution, SampleSet.Ways, (_, random, row) => row with { Energy = 0.001 + 0.001 * random });
        foreach (var system in new[] { systems.Motion, systems.Neon })
            Add(system, SampleSet.Ways, (scene, random, row) => row with { Energy = 0.02 * moves + 0.001 * random, Shown = random < 0.9 * moves ? scene.Movement : ToyMovement.Spin, Neon = system == systems.Neon ? look : 0 });
        Add(StudySystems.Real, SampleSet.Ways, (_, _, row) => row);
        Add(StudySystems.RealNeon, SampleSet.Ways, (_, _, row) => row with { Neon = 0.8 });
        Add(systems.Motion, SampleSet.Still, (_, random, row) => row with { Radial = 0.1 * random });
        Add(systems.Camera("", "zoom-in"), SampleSet.Still, (_, random, row) => row with { Radial = zoom * (0.5 + random) });
        await WriteAsync(rows);

        await ToyboxStudy.RunAsync(options);
        var verdicts = (await File.ReadAllLinesAsync(_folder["docs/toybox-study.md"])).Where(line => line.StartsWith("**Verdict: ")).ToArray();
        Assert.Equal(expected.Replace(",", ""), string.Join(' ', verdicts.Take(4).Select(line => line["**Verdict: ".Length..line.IndexOf(".**")])));
        Assert.Contains($"sign {(zoom > 0 ? "right" : "**wrong or none**")}", verdicts[3]);
    }

    [Theory]
    [InlineData(0.69, "not held")]
    [InlineData(0.71, "held")]
    public async Task Control_is_held_from_an_overlap_of_seven_tenths(double overlap, string expected)
    {
        var systems = new StudySystems("", "");
        await WriteAsync(from system in new[] { systems.ControlNet, systems.SparseControl }
                         from index in Enumerable.Range(0, 8)
                         let scene = SampleSet.Ways.Scene(1, index)
                         select new StudyRow(system.Name, "", Options.Settings, SampleSet.Ways, index, 1, 1, scene.Caption, scene.Movement,
                             scene.Movement, 0, 0, 1, 0.001, 0, 0, 0, 0, 0, system == systems.ControlNet ? 0.8 : 0.3, overlap, 30, 30, 1, 0));
        await ToyboxStudy.RunAsync(Options with { Parts = "" });
        Assert.Contains($"**Verdict: {expected}.** Overlap in the frames that were given: ControlNet", await File.ReadAllTextAsync(_folder["docs/toybox-study.md"]));
    }

    [Fact]
    public async Task Models_are_measured_once_and_again_when_their_files_change()
    {
        using var vocabulary = Vocabularies.Small();
        ReferenceModels.CopyBase(_folder["models/base"], vocabulary);
        CheckpointConverter.Convert(ReferenceModels.OfficialMotion("v2"), _folder["models/motion"], ConversionTarget.Diffusers);
        Directory.CreateDirectory(_folder["models/motion-lora"]);
        var lora = _folder["models/motion-lora/zoom-in.safetensors"];
        CheckpointConverter.Convert(Goldens.Model("motionlora-zoom-in.ckpt"), lora, ConversionTarget.Official);

        var options = Options with { Parts = "d" };
        using (var stop = new CancellationTokenSource())
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ToyboxStudy.RunAsync(options, new StopAt("zoom-in", stop), stop.Token));
        var first = await ReadAsync();
        Assert.All(first, row => Assert.Equal("motion", row.System));                                                   // what was done before it stopped is kept

        await ToyboxStudy.RunAsync(options);
        var rows = await ReadAsync();
        Assert.Equal(first, rows.Take(8));
        Assert.Equal(["motion", "zoom-in"], rows.Select(row => row.System).Distinct());
        Assert.NotEqual(rows[0].Radial, rows[8].Radial);
        Assert.All(rows, row => Assert.Matches("^[0-9a-f]{16}$", row.Files));
        using (var picture = File.OpenRead(_folder["docs/toybox-study/still-zoom-in.gif"]))
            Assert.InRange(picture.Length, 1000, 400_000);

        CheckpointConverter.Convert(Goldens.Model("motionlora-zoom-in.ckpt"), lora, ConversionTarget.Diffusers, overwrite: true);   // the same numbers in another file
        await ToyboxStudy.RunAsync(options);
        var again = await ReadAsync();
        Assert.Equal(rows.Take(8), again.Take(8));
        Assert.Equal(rows.Skip(8).Select(row => row with { Files = "" }), again.Skip(8).Select(row => row with { Files = "" }));
        Assert.NotEqual(rows[8].Files, again[8].Files);
    }

    [Fact]
    public async Task Wrong_settings_are_refused()
    {
        Assert.Contains("'x'", (await Assert.ThrowsAsync<RequestException>(() => ToyboxStudy.RunAsync(Options with { Parts = "ax" }))).Message);
        await Assert.ThrowsAsync<RequestException>(() => ToyboxStudy.RunAsync(Options with { Samples = 0 }));
        await Assert.ThrowsAsync<RequestException>(() => ToyboxStudy.RunAsync(Options with { Steps = 0 }));
        await Assert.ThrowsAsync<FileException>(() => ToyboxStudy.RunAsync(Options with { Runs = "/nowhere" }));
        Assert.Empty(_folder.Entries);
    }

    private async Task<StudyRow[]> ReadAsync() => [.. (await File.ReadAllLinesAsync(Measurements)).Select(line => StudyRow.Parse(line)!)];

    private Task WriteAsync(IEnumerable<StudyRow> rows) => Task.FromResult(_folder.Write("docs/toybox-study/measurements.jsonl", string.Concat(rows.Select(row => $"{row}\n"))));

    private sealed class StopAt(string title, CancellationTokenSource stop) : IProgress<StudyProgress>
    {
        public void Report(StudyProgress value)
        {
            if (value.Title.StartsWith(title))
                stop.Cancel();
        }
    }
}
