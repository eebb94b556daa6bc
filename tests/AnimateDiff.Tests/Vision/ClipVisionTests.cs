using AnimateDiff.ImagePrompts;
using AnimateDiff.Layers;
using AnimateDiff.Text;
using AnimateDiff.Video;
using AnimateDiff.Vision;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Vision;

/// <summary>CLIP's vision model and its preprocessing against transformers (cases/clip-score).</summary>
public class ClipVisionTests
{
    [Fact]
    public async Task Pictures_are_prepared_as_by_CLIPs_own_processor()
    {
        using var reference = Goldens.Case("clip-score");
        var clip = await VideoReader.ReadAsync(Goldens.Input("clip-frames"));
        Assert.InRange(Goldens.Difference(ClipPictures.Prepare(clip.Frames, 32), reference["pixel_values"].Read()), 0, 1e-5);
    }

    [Fact]
    public void Embeddings_and_scores_equal_those_of_transformers()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var reference = Goldens.Case("clip-score");
        var folder = Goldens.Model("clip-score");
        using var vision = ImagePromptLoader.Encoder(folder, ScalarType.Float32, CPU);
        var images = nn.functional.normalize(vision.call(reference["pixel_values"].Read()), dim: 1);
        Assert.InRange(Goldens.Difference(images, reference["image_embeds"].Read()), 0, 2e-5);

        using var file = ModelFolder.Open(folder);
        using var text = new ClipTextModel(ClipTextConfig.Read(Path.Combine(folder, "config.json")), META);
        ModuleWeights.Load(text, file.Select(name => name.StartsWith("text_model.", StringComparison.Ordinal) && !name.EndsWith("position_ids", StringComparison.Ordinal) ? name : null), "text encoder");
        var ids = reference["input_ids"].Read();
        var pooled = text.Pool(text.call(ids, 0, null), ids);
        var texts = nn.functional.normalize(nn.functional.linear(pooled, file["text_projection.weight"].Read().to(ScalarType.Float32)), dim: 1);
        Assert.InRange(Goldens.Difference(texts, reference["text_embeds"].Read()), 0, 2e-5);
        var logits = images.matmul(texts.t()) * file["logit_scale"].Read().to(ScalarType.Float32).exp();
        Assert.InRange(Goldens.Difference(logits, reference["logits_per_image"].Read()), 0, 5e-4);   // 2e-5 of the cosine times its scale
    }

    /// <summary>What a resampler sees is the input of the last layer: a model without that layer ends with it.</summary>
    [Fact]
    public void Patches_are_the_states_before_the_last_layer()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var folder = Goldens.Model("ip-adapter/image_encoder");
        using var whole = ImagePromptLoader.Encoder(folder, ScalarType.Float32, CPU);
        var shorter = whole.Config with { NumHiddenLayers = whole.Config.NumHiddenLayers - 1 };
        using var file = ModelFolder.Open(folder);
        using var cut = new ClipVisionModel(shorter, META);
        ModuleWeights.Load(cut, file.Select(name => name.Contains($"layers.{shorter.NumHiddenLayers}.") ? null : name), "vision");
        var picture = Pictures(40, 50);
        var patches = whole.Patches(ClipPictures.Prepare(picture, 32));
        Assert.Equal([1, 17, 64], patches.shape);
        var last = nn.functional.layer_norm(patches.select(1, 0), [64], file["vision_model.post_layernorm.weight"].Read().to(ScalarType.Float32),
            file["vision_model.post_layernorm.bias"].Read().to(ScalarType.Float32));
        var projected = nn.functional.linear(last, file["visual_projection.weight"].Read().to(ScalarType.Float32));
        Assert.InRange(Goldens.Difference(cut.call(ClipPictures.Prepare(picture, 32)), projected), 0, 1e-5);
    }

    [Fact]
    public void Resizing_keeps_what_is_even_and_a_picture_of_the_right_size()
    {
        var picture = Pictures(9, 7);
        Assert.Equal(picture[0].ToArray(), BicubicResize.Resize(picture[0], 7, 9, 7, 9));
        Assert.All(BicubicResize.Resize([.. Enumerable.Repeat((byte)137, 9 * 7 * 3)], 7, 9, 33, 4), value => Assert.Equal(137, value));
    }

    [Fact]
    public void The_middle_of_a_wide_picture_is_taken()
    {
        using var scope = NewDisposeScope();
        var pixels = new byte[8 * 24 * 3];                                                  // black, white from column 8 to 15
        for (var row = 0; row < 8; row++)
            pixels.AsSpan((row * 24 + 8) * 3, 8 * 3).Fill(255);
        var prepared = ClipPictures.Prepare(new VideoFrames(1, 8, 24, pixels), 8);
        Assert.Equal([1, 3, 8, 8], prepared.shape);
        Assert.InRange(prepared[0, 0].min().item<float>(), (1 - 0.48145466) / 0.26862954 - 1e-5, 10);
    }

    /// <summary>A frame of changing colours.</summary>
    internal static VideoFrames Pictures(int height, int width) =>
        new(1, height, width, [.. Enumerable.Range(0, height * width * 3).Select(i => (byte)(i * 7919 % 251))]);
}
