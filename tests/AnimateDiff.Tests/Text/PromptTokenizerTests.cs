using AnimateDiff.Text;

namespace AnimateDiff.Tests.Text;

public class PromptTokenizerTests
{
    private const int Vocabulary = 519, Dog = 513, Cat = 515;

    [Fact]
    public void Weights_reach_their_tokens() =>
        Assert.Equal(
            [new PromptToken(Dog, 1, true), new PromptToken(Cat, 1.5f, true), new PromptToken(Dog, 3, true)],
            Prompts().Encode("dog (cat (dog:2):1.5)"));

    [Fact]
    public void Words_are_known_by_their_last_token() =>
        Assert.Equal([(false, 'a'), (false, 'b'), (true, 'c' + 256), (true, Dog)], Prompts().Encode("abc dog").Select(token => (token.EndsWord, token.Id)));

    [Theory]
    [InlineData("a <Thing>", new[] { 'a' + 256, 519, 520 })]
    [InlineData("dog<thing>dog", new[] { Dog, 519, 520, Dog })]
    [InlineData("(Style, dog:2)", new[] { 521, ',' + 256, Dog })]
    [InlineData("no_style dog", new[] { 'n', 'o' + 256, '_' + 256, 's', 't', 'y', 'l', 'e' + 256, Dog })]
    [InlineData("styles dog", new[] { 's', 't', 'y', 'l', 'e', 's' + 256, Dog })]
    public void Inversions_stand_for_their_vectors(string prompt, int[] ids)
    {
        using var thing = new TextualInversion("<thing>", zeros(2, 4));
        using var style = new TextualInversion("style", zeros(1, 4));
        var tokens = new PromptTokenizer(Vocabularies.SmallTokenizer(), Vocabulary, [thing, style]).Encode(prompt);
        Assert.Equal(ids, tokens.Select(token => token.Id));
    }

    [Fact]
    public void Two_inversions_of_one_name_are_refused()
    {
        using var first = new TextualInversion("style", zeros(1, 4));
        using var second = new TextualInversion("Style", zeros(1, 4));
        var error = Assert.Throws<RequestException>(() => new PromptTokenizer(Vocabularies.SmallTokenizer(), Vocabulary, [first, second]));
        Assert.Contains("'Style'", error.Message);
    }

    [Fact]
    public void Longest_inversion_that_fits_is_meant()
    {
        using var shorter = new TextualInversion("style", zeros(1, 4));
        using var longer = new TextualInversion("style two", zeros(2, 4));
        var prompts = new PromptTokenizer(Vocabularies.SmallTokenizer(), Vocabulary, [shorter, longer]);
        Assert.Equal([520, 521, 519], prompts.Encode("STYLE TWO style").Select(token => token.Id));
        Assert.Equal("style two style", prompts.Decode(prompts.Encode("style two style")));
    }

    [Fact]
    public void Tokenizer_of_another_model_is_refused()
    {
        var error = Assert.Throws<RequestException>(() => new PromptTokenizer(Vocabularies.SmallTokenizer(), 100, []));
        Assert.Contains("the id 518, but the text encoder has embeddings for 100 only", error.Message);
    }

    [Fact]
    public void Message_text_names_inversions()
    {
        using var thing = new TextualInversion("<thing>", zeros(2, 4));
        var prompts = new PromptTokenizer(Vocabularies.SmallTokenizer(), Vocabulary, [thing]);
        Assert.Equal("dog <thing> café cat", prompts.Decode(prompts.Encode("DOG <thing> (café:2) cat")));
    }

    [Theory]
    [InlineData("", 4, "0")]
    [InlineData("1111", 4, "4")]
    [InlineData("11111", 4, "4 1")]
    [InlineData("111001", 4, "3 3")]       // a word of three moves to the next chunk as a whole
    [InlineData("100001", 4, "1 4 1")]     // a word longer than a chunk is cut
    [InlineData("000000001", 4, "4 4 1")]
    public void Chunks_end_after_a_word_where_they_can(string endsWord, int room, string lengths)
    {
        var tokens = endsWord.Select((ends, index) => new PromptToken(index, 1, ends == '1')).ToList();
        var chunks = PromptTokenizer.Chunks(tokens, room);
        Assert.Equal(lengths, string.Join(' ', chunks.Select(chunk => chunk.Count)));
        Assert.Equal(tokens, chunks.SelectMany(chunk => chunk));
    }

    private static PromptTokenizer Prompts() => new(Vocabularies.SmallTokenizer(), Vocabulary, []);
}
