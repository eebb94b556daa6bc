using System.Text.Json;
using AnimateDiff.Evaluation;
using AnimateDiff.Tests.Text;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Evaluation;

/// <summary>
/// CLIP's scores against transformers (cases/clip-score). The model is that of the references with zeros for the tokens that no prompt of the case has.
/// </summary>
public sealed class ClipScorerTests
{
    private const double Tolerance = 2e-5;
    private static readonly string[] Prompts = JsonDocument.Parse(Goldens.CaseJson("clip-score")).RootElement.GetProperty("prompts").Deserialize<string[]>()!;

    [Fact]
    public async Task Vectors_of_frames_and_prompts_equal_those_of_transformers()
    {
        var clip = (await VideoReader.ReadAsync(Goldens.Input("clip-frames"), cancellationToken: TestContext.Current.CancellationToken)).Frames;
        using var reference = Goldens.Case("clip-score");
        using var scorer = Load();
        using var scope = NewDisposeScope();
        Assert.InRange(Goldens.Difference(scorer.Frames(clip), reference["image_embeds"].Read()), 0, Tolerance);
        Assert.InRange(Goldens.Difference(cat([.. Prompts.Select(scorer.Text)]), reference["text_embeds"].Read()), 0, Tolerance);
    }

    [Fact]
    public async Task Scores_are_the_papers_means_of_cosines()
    {
        using var reference = Goldens.Case("clip-score");
        using var scope = NewDisposeScope();
        var images = reference["image_embeds"].Read().data<float>().ToArray().Chunk(32).ToArray();
        var texts = reference["text_embeds"].Read().data<float>().ToArray().Chunk(32).ToArray();
        double Cosine(float[] one, float[] other) => one.Zip(other, (a, b) => (double)a * b).Sum();
        var report = await RunAsync(new([new("", [Goldens.Input("clip-frames")])]) { Clip = Goldens.Model("clip-score"), Prompts = [Prompts[1]], Reference = Goldens.Input("clip-frames") });
        var clip = report.Clips.Single();
        Assert.Equal(100 * images.Average(image => Cosine(image, texts[1])), clip.TextScore!.Value, 100 * Tolerance);
        Assert.Equal(100 * images.Average(image => images.Average(other => Cosine(image, other))), clip.DomainSimilarity!.Value, 100 * Tolerance);
        Assert.Equal(100 * Enumerable.Range(0, 3).Average(i => Cosine(images[i], images[i + 1])), clip.Smoothness!.Value, 100 * Tolerance);
        Assert.Equal(Prompts[1], clip.Prompt);
    }

    [Fact]
    public void Weights_in_prompts_are_not_read()
    {
        using var scorer = Load();
        using var scope = NewDisposeScope();
        Assert.Equal(0, Goldens.Difference(scorer.Text($"({Prompts[2]}:1.3)"), scorer.Text(Prompts[2])));
    }

    [Fact]
    public void A_single_frame_has_no_smoothness()
    {
        using var scope = NewDisposeScope();
        Assert.Null(ClipScorer.Smoothness(ones(1, 4)));
    }

    [Fact]
    public void Folders_that_are_no_CLIP_model_are_refused()
    {
        Assert.Contains("no folder", Assert.Throws<FileException>(() => ClipScorer.Load("/nowhere/clip", CPU)).Message);
        Assert.Contains("whole CLIP model", Assert.Throws<FileException>(() => ClipScorer.Load(Goldens.Model("ip-adapter/image_encoder"), CPU)).Message);
        using var folder = new TempFolder();
        Assert.Throws<FileException>(() => ClipScorer.Load(folder.Path, CPU));
        foreach (var file in new[] { "config.json", "model.safetensors" })
            File.Copy(Path.Combine(Goldens.Repository, "tests/goldens/models/clip-score", file), folder[file]);
        Assert.Contains("vocab.json", Assert.Throws<FileException>(() => ClipScorer.Load(folder.Path, CPU)).Message);
    }

    internal static Task<EvaluationReport> RunAsync(EvaluationRequest request) =>
        Evaluator.RunAsync(request, RecordedTokenizer.Load(), cancellationToken: TestContext.Current.CancellationToken);

    private static ClipScorer Load() => ClipScorer.Load(Goldens.Model("clip-score"), CPU, RecordedTokenizer.Load());
}
