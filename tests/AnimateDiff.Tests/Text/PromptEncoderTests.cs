using AnimateDiff.Text;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Text;

public sealed class PromptEncoderTests : IDisposable
{
    private const double Tolerance = 1e-5;
    private readonly ClipTextModel _model = TextEncoders.Nano();
    private readonly ClipTokenizer _tokenizer = Vocabularies.SmallTokenizer();

    private PromptEncoder Encoder(params TextualInversion[] inversions) => new(_tokenizer, _model, inversions);

    public void Dispose() => _model.Dispose();

    [Fact]
    public void Prompt_that_fits_is_the_models_output_for_its_padded_ids()
    {
        using var encoded = Encoder().Encode(["a dog", "cats"], ["dog"]);
        using var ids = tensor([.. _tokenizer.EncodePadded("a dog").Concat(_tokenizer.EncodePadded("cats")).Select(id => (long)id)], [2, 77]);
        Assert.Equal(0, Goldens.Difference(encoded.Positive, _model.call(ids, 0, null)));
        Assert.Equal([2, 77, 48], encoded.Negative!.shape);
        Assert.Equal(0, Goldens.Difference(encoded.Negative[0], encoded.Negative[1]));
    }

    [Fact]
    public void Without_guidance_there_is_no_negative()
    {
        using var encoded = Encoder().Encode(["dog"], null);
        Assert.Null(encoded.Negative);
    }

    [Fact]
    public void Seventy_five_tokens_are_one_sequence_and_seventy_six_are_two()
    {
        using var one = Encoder().Encode([Repeat("dog", 75)], [""]);
        using var two = Encoder().Encode([Repeat("dog", 76)], [""]);
        using var parts = Encoder().Encode([Repeat("dog", 75), "dog"], [""]);
        Assert.Equal([1, 77, 48], one.Positive.shape);
        Assert.Equal([1, 154, 48], two.Positive.shape);
        Assert.InRange(Goldens.Difference(two.Positive[0], parts.Positive.flatten(0, 1)), 0, Tolerance);
        Assert.Empty(two.Warnings);
    }

    [Fact]
    public void Shorter_prompts_get_empty_chunks()
    {
        using var encoded = Encoder().Encode([Repeat("dog", 160), "cat"], ["dog"]);
        using var parts = Encoder().Encode(["cat", "dog", ""], null);
        Assert.Equal([2, 231, 48], encoded.Positive.shape);
        Assert.Equal([2, 231, 48], encoded.Negative!.shape);
        Assert.InRange(Goldens.Difference(encoded.Positive[1], cat([parts.Positive[0], parts.Positive[2], parts.Positive[2]])), 0, Tolerance);
        Assert.InRange(Goldens.Difference(encoded.Negative[0], cat([parts.Positive[1], parts.Positive[2], parts.Positive[2]])), 0, Tolerance);
    }

    [Fact]
    public void Truncated_prompt_ends_after_its_first_sequence_and_says_so()
    {
        using var encoded = Encoder().Encode([Repeat("dog", 75) + " and a cat"], [Repeat("cat", 78)], truncate: true);
        using var expected = Encoder().Encode([Repeat("dog", 75)], [Repeat("cat", 75)]);
        Assert.Equal(0, Goldens.Difference(encoded.Positive, expected.Positive));
        Assert.Equal(0, Goldens.Difference(encoded.Negative!, expected.Negative!));
        Assert.Equal(["\"and a cat\"", "\"cat cat cat\""], encoded.Warnings.Select(warning => warning[warning.IndexOf('"')..^1]));
    }

    [Fact]
    public void Clip_skip_is_for_the_prompt_only()
    {
        using var encoded = Encoder().Encode(["dog"], ["dog"], clipSkip: 2);
        using var ids = tensor([.. _tokenizer.EncodePadded("dog").Select(id => (long)id)], [1, 77]);
        Assert.Equal(0, Goldens.Difference(encoded.Positive, _model.call(ids, 2, null)));
        Assert.Equal(0, Goldens.Difference(encoded.Negative!, _model.call(ids, 0, null)));
    }

    [Fact]
    public void Weighted_states_keep_the_mean_of_their_chunk()
    {
        using var weighted = Encoder().Encode(["a (dog:1.5) cat", "a dog cat"], null);
        using var plain = Encoder().Encode(["a dog cat"], null);
        var (found, source) = (Rows(weighted.Positive[0]), Rows(plain.Positive[0]));
        Assert.Equal(0, Goldens.Difference(weighted.Positive[1], plain.Positive[0]));

        double Weight(int token) => token == 2 ? 1.5 : 1;   // begin, a, dog
        var (before, after) = (source.Average(row => row.Average()), source.Select((row, token) => Weight(token) * row.Average()).Average());
        for (var token = 0; token < 77; token++)
            for (var i = 0; i < 48; i++)
                Assert.Equal(source[token][i] * Weight(token) * before / after, found[token][i], 1e-3 * (1 + Math.Abs(before / after)));
    }

    [Fact]
    public void Inversion_with_the_vectors_of_words_means_those_words()
    {
        using var weights = SafetensorsFile.Open(Path.Combine(Goldens.Model("nano-sd15"), "text_encoder", "model.safetensors"));
        using var embeddings = weights["text_model.embeddings.token_embedding.weight"].Read();
        using var thing = new TextualInversion("<thing>", embeddings[tensor(_tokenizer.Encode("dog cat").Select(id => (long)id).ToArray())].to(ScalarType.Float32));
        using var before = Encoder().Encode(["a dog cat (a:1.2)"], [Repeat("dog cat", 38)]);
        using var with = Encoder(thing).Encode(["a <thing> (a:1.2)"], [Repeat("<thing>", 38)]);
        using var without = Encoder().Encode(["a dog cat (a:1.2)"], [Repeat("dog cat", 38)]);
        Assert.InRange(Goldens.Difference(with.Positive[.., ..77], without.Positive[.., ..77]), 0, Tolerance);
        Assert.InRange(Goldens.Difference(with.Negative![.., ..75], without.Negative![.., ..75]), 0, Tolerance);   // 37 pairs fit; the chunk ends after a whole one
        Assert.NotEqual(0, Goldens.Difference(with.Negative, without.Negative));
        Assert.Equal(0, Goldens.Difference(before.Positive, without.Positive));
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(2, 3, 0)]
    [InlineData(2, 0, 0)]
    [InlineData(1, 1, 4)]
    [InlineData(1, 1, -1)]
    public void Wrong_requests_are_refused(int prompts, int negatives, int clipSkip) =>
        Assert.Throws<RequestException>(() => Encoder().Encode([.. Enumerable.Repeat("a", prompts)], [.. Enumerable.Repeat("a", negatives)], clipSkip));

    [Fact]
    public void Half_precision_model_gives_half_precision_context()
    {
        using var model = TextEncoders.Nano(ScalarType.BFloat16);
        using var encoded = new PromptEncoder(_tokenizer, model).Encode(["a (dog:1.2)"], ["cat"]);
        Assert.Equal((ScalarType.BFloat16, ScalarType.BFloat16), (encoded.Positive.dtype, encoded.Negative!.dtype));
    }

    [Fact]
    public void Encoding_leaves_no_tensors_behind()
    {
        using var thing = new TextualInversion("<thing>", zeros(2, 48));
        var encoder = Encoder(thing);
        encoder.Encode(["a dog"], [""]).Dispose();
        using var scope = NewDisposeScope();   // the result belongs to the caller, whatever scope it is called in
        DisposeScopeManager.Statistics.Reset();
        for (var i = 0; i < 5; i++)
            encoder.Encode(["a (<thing>:1.2)", Repeat("dog", 80)], ["cat"], clipSkip: 1).Dispose();
        Assert.Equal(0, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static string Repeat(string word, int count) => string.Join(' ', Enumerable.Repeat(word, count));

    private static double[][] Rows(Tensor tokens) =>
        [.. tokens.to(ScalarType.Float64).contiguous().data<double>().ToArray().Chunk((int)tokens.shape[1])];
}
