using AnimateDiff.Toybox;
using AnimateDiff.Toybox.Study;

namespace AnimateDiff.Tests.Toybox.Study;

/// <summary>The comparison without models, on made-up measurements, and with a system that is generated.</summary>
public sealed class ComparisonTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private StudyOptions Options => new() { Models = _folder["models"], Runs = _folder["runs"], Output = _folder["docs"], Samples = 8, Steps = 2 };

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Without_models_only_the_renderer_is_measured()
    {
        var page = await File.ReadAllTextAsync(await Comparison.RunAsync(Options));
        foreach (var system in new[] { "AnimateDiff", "Text2Video-Zero", "Tune-A-Video" })
            Assert.Equal(2, page.Split($"not measured: {system} (`").Length - 1);
        Assert.DoesNotContain(_folder.Path, page);

        var rows = (await File.ReadAllLinesAsync(_folder["docs/comparison/measurements.jsonl"])).Select(line => StudyRow.Parse(line)!).ToArray();
        Assert.Equal(2 * 8, rows.Length);
        Assert.All(rows, row => Assert.True(row.Colour > 0.9 && row.Shown == row.Asked, row.ToString()));
        Assert.True(File.Exists(_folder["docs/comparison/ways-rendered-neon-5.gif"]));
        Assert.Contains("comparison/ways-rendered-5.gif", page);
    }

    [Fact]
    public async Task Orders_follow_from_the_measurements()
    {
        var systems = new StudySystems("", "");
        StudySystem[] three = [systems.Motion, systems.ZeroShot(systems.Motion), systems.Tuned(systems.Motion), systems.Neon, systems.ZeroShot(systems.Neon), systems.Tuned(systems.Neon)];
        var rows = from entry in three.Index()
                   from index in Enumerable.Range(0, 8)
                   let scene = SampleSet.Ways.Scene(1, index)
                   select new StudyRow(entry.Item.Name, "", Options.Settings, SampleSet.Ways, index, 1, 1, scene.Caption, scene.Movement, scene.Movement, 0, 0, 1, 0.01, 0,
                       new[] { 0.8, 0.5, 0.2 }[entry.Index % 3], 0, 0, 0, 0, 0, 30, 30, Colour: new[] { 0.3, 0.6, 0.5 }[entry.Index % 3], Warping: new[] { 1.0, 3.0, 2.0 }[entry.Index % 3]);
        _folder.Write("docs/comparison/measurements.jsonl", string.Concat(rows.Select(row => $"{row}\n")));

        var lines = (await File.ReadAllLinesAsync(await Comparison.RunAsync(Options))).Where(line => line.EndsWith("the same |") || line.EndsWith("**another** |")).ToArray();
        Assert.Equal(3, lines.Length);
        Assert.EndsWith("colour as asked: Text2Video-Zero 0.60, Tune-A-Video 0.50, AnimateDiff 0.30 | **another** |", lines[0]);
        Assert.EndsWith("AnimateDiff 0.80, Text2Video-Zero 0.50, Tune-A-Video 0.20 | the same |", lines[1]);
        Assert.EndsWith("AnimateDiff 1.00, Tune-A-Video 2.00, Text2Video-Zero 3.00 | the same |", lines[2]);
    }

    [Fact]
    public async Task Tuned_models_are_made_once()
    {
        using var vocabulary = Text.Vocabularies.Small();
        ReferenceModels.CopyBase(_folder["models/base"], vocabulary);
        Directory.CreateDirectory(_folder["runs"]);
        var (image, models) = (new StudyFile(_folder["models"], "base"), new TunedModels(Options, null, CancellationToken.None, "steps=1"));

        var (tuned, latents) = await models.GetAsync(image, "0123", ToyMovement.Left);
        Assert.Equal(16, LatentsFile.Open(latents).Frames);
        Assert.StartsWith("a ", LatentsFile.Open(latents).Recipe!.Prompts[0]);
        Assert.Contains("UNet3DConditionModel", await File.ReadAllTextAsync(Path.Combine(tuned, "unet", "config.json")));

        var before = File.GetLastWriteTimeUtc(latents);
        Assert.Equal((tuned, latents), await models.GetAsync(image, "0123", ToyMovement.Left));
        Assert.Equal(before, File.GetLastWriteTimeUtc(latents));

        // of another base model, or with other steps, they are others
        Assert.NotEqual(latents, (await models.GetAsync(image, "4567", ToyMovement.Left)).Latents);
        var longer = await new TunedModels(Options with { Steps = 3 }, null, CancellationToken.None, "steps=1").GetAsync(image, "0123", ToyMovement.Left);
        Assert.Equal((2, 3), (LatentsFile.Open(latents).Recipe!.Steps, LatentsFile.Open(longer.Latents).Recipe!.Steps));
    }
}
