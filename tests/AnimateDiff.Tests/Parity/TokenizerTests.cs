using System.Text.Json;
using AnimateDiff.Tests.Text;
using AnimateDiff.Text;

namespace AnimateDiff.Tests.Parity;

public class TokenizerTests
{
    [Fact]
    public void Ids_are_those_of_the_reference_tokenizer()
    {
        var tokenizer = ClipTokenizer.Load(Vocabularies.Clip());
        var records = RecordedTokenizer.Records();
        Assert.Equal(225, records.Count);
        foreach (var (text, ids) in records)
            Assert.Equal((text, string.Join(' ', ids)), (text, string.Join(' ', tokenizer.EncodePadded(text))));
    }

    [Fact]
    public void Fast_tokenizer_file_gives_the_same_ids()
    {
        var source = Vocabularies.Clip();
        var vocabulary = JsonSerializer.Deserialize<Dictionary<string, int>>(File.ReadAllText(Path.Combine(source, "vocab.json")))!;
        using var folder = new TempFolder();
        folder.Write("tokenizer.json", JsonSerializer.Serialize(new
        {
            added_tokens = new[] { new { id = 49406, content = "<|startoftext|>" }, new { id = 49407, content = "<|endoftext|>" } },
            model = new { vocab = vocabulary, merges = File.ReadLines(Path.Combine(source, "merges.txt")).Skip(1).Select(merge => merge.Split(' ')) },
        }));
        var tokenizer = ClipTokenizer.Load(folder.Path);
        foreach (var (text, ids) in RecordedTokenizer.Records())
            Assert.Equal(ids, tokenizer.EncodePadded(text));
    }

    [Fact]
    public void Decomposed_letters_and_upper_case_are_normalised_first()
    {
        var tokenizer = ClipTokenizer.Load(Vocabularies.Clip());
        Assert.Equal(tokenizer.Encode("naïve façade"), tokenizer.Encode("NAI\u0308VE\u3000FAC\u0327ADE"));
        Assert.Equal([1097, 35689, 563, 778, 10067, 1928], tokenizer.Encode("naïve façade"));
    }

    [Fact]
    public void Second_tokenizer_of_SDXL_pads_with_the_exclamation_mark()
    {
        var tokenizer = ClipTokenizer.Load(Vocabularies.Clip("nano-sdxl/tokenizer_2"));
        Assert.Equal(0, tokenizer.PadId);
        Assert.Equal([49406, 1929, 49407, 0], tokenizer.EncodePadded("dog")[..4]);
    }

    [Fact]
    public void Random_text_never_throws_and_stays_in_the_vocabulary()
    {
        var tokenizer = ClipTokenizer.Load(Vocabularies.Clip());
        foreach (var text in ClipTokenizerTests.RandomTexts(seed: 1, count: 500))
            Assert.All(tokenizer.Encode(text), id => Assert.InRange(id, 0, 49407));
    }
}
