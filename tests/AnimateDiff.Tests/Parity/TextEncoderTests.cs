using AnimateDiff.Tests.Text;
using AnimateDiff.Text;

namespace AnimateDiff.Tests.Parity;

public class TextEncoderTests
{
    [Theory]
    [InlineData("last_hidden_state", 0)]
    [InlineData("clip_skip_1", 1)]
    [InlineData("clip_skip_2", 2)]
    public void Hidden_states_are_those_of_transformers(string expected, int clipSkip)
    {
        using var model = TextEncoders.Nano();
        using var golden = Goldens.Case("text-encoder");
        using var hidden = model.call(golden["input_ids"].Read(), clipSkip, null);
        Assert.InRange(Goldens.Difference(hidden, golden[expected].Read()), 0, 2e-5);
    }

    [Fact]
    public void Pooled_output_is_the_state_of_the_end_token()
    {
        using var model = TextEncoders.Nano();
        using var golden = Goldens.Case("text-encoder");
        using var ids = golden["input_ids"].Read();
        using var pooled = model.Pool(model.call(ids, 0, null), ids);
        Assert.InRange(Goldens.Difference(pooled, golden["pooler_output"].Read()), 0, 2e-5);
    }

    [Fact]
    public void Half_precision_stays_near()
    {
        using var model = TextEncoders.Nano(ScalarType.BFloat16);
        using var golden = Goldens.Case("text-encoder");
        using var expected = golden["last_hidden_state"].Read();
        using var hidden = model.call(golden["input_ids"].Read(), 0, null);
        Assert.Equal(ScalarType.BFloat16, hidden.dtype);
        var error = (hidden.to(ScalarType.Float32) - expected).pow(2).mean().sqrt() / expected.std();
        Assert.InRange(error.item<float>(), 0, 0.02);
    }

    [Fact]
    public void Prompts_become_the_reference_states()
    {
        using var model = TextEncoders.Nano();
        using var golden = Goldens.Case("text-encoder");
        string[] prompts =
        [
            "A painting of a squirrel eating a burger, 4k",
            "masterpiece, a corgi running on the beach at sunset",
            "two people holding hands in a field with wind turbines",
        ];
        using var encoded = new PromptEncoder(RecordedTokenizer.Load(), model).Encode(prompts, prompts, clipSkip: 1);
        Assert.InRange(Goldens.Difference(encoded.Positive, golden["clip_skip_1"].Read()), 0, 2e-5);
        Assert.InRange(Goldens.Difference(encoded.Negative!, golden["last_hidden_state"].Read()), 0, 2e-5);   // diffusers skips layers for the prompt only
        Assert.Empty(encoded.Warnings);
    }
}
