using AnimateDiff.Text;
using AnimateDiff.Toybox;

namespace AnimateDiff.Tests.Toybox;

public sealed class ToyVocabularyTests
{
    [Fact]
    public void Every_word_is_one_token_of_its_own()
    {
        using var folder = new TempFolder();
        var size = ToyVocabulary.Write(folder.Path);
        var tokenizer = ClipTokenizer.Load(folder.Path);

        Assert.Equal(size, tokenizer.VocabularySize);
        Assert.Equal(ToyVocabulary.MaxLength, tokenizer.MaxLength);
        Assert.Equal((size - 2, size - 1, size - 1), (tokenizer.BeginId, tokenizer.EndId, tokenizer.PadId));
        var ids = ToyVocabulary.Words.Select(word => (word, ids: tokenizer.Encode(word))).ToList();
        Assert.Empty(ids.Where(entry => entry.ids.Count != 1).Select(entry => entry.word));
        Assert.Equal(ids.Count, ids.Select(entry => entry.ids[0]).Distinct().Count());
    }

    [Fact]
    public void Captions_have_as_many_tokens_as_words()
    {
        using var folder = new TempFolder();
        ToyVocabulary.Write(folder.Path);
        var tokenizer = ClipTokenizer.Load(folder.Path);

        foreach (var caption in Enumerable.Range(0, 500).Select(index => ToyScene.Draw(3, index).Caption).Distinct())
            Assert.Equal(caption.Split(' ').Length, tokenizer.Encode(caption).Count);
    }

    [Fact]
    public void Other_words_are_spelled_and_come_back()
    {
        using var folder = new TempFolder();
        ToyVocabulary.Write(folder.Path);
        var tokenizer = ClipTokenizer.Load(folder.Path);

        var ids = tokenizer.Encode("A Würfel stays");
        Assert.True(ids.Count > 3);
        Assert.Equal("a würfel stays", tokenizer.Decode(ids));
    }
}
