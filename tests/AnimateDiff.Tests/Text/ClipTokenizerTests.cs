using System.Text;
using AnimateDiff.Text;

namespace AnimateDiff.Tests.Text;

public class ClipTokenizerTests
{
    private static readonly ClipTokenizer Tokenizer = Vocabularies.SmallTokenizer();

    [Fact]
    public void Small_vocabulary_has_its_own_begin_and_end()
    {
        Assert.Equal((517, 518, 518, 519), (Tokenizer.BeginId, Tokenizer.EndId, Tokenizer.PadId, Tokenizer.VocabularySize));
        Assert.Equal([517, 513, 515, 518, 518], Tokenizer.EncodePadded("DOG  cat")[..5]);
        Assert.Equal(77, Tokenizer.EncodePadded("dog").Length);
    }

    [Theory]
    [InlineData("won't", "won|'t")]
    [InlineData("we'll've", "we|'ll|'ve")]
    [InlineData("'sun'", "'s|un|'")]
    [InlineData("a-'s", "a|-'|s")]
    [InlineData("3.14", "3|.|1|4")]
    [InlineData("½x²", "½|x|²")]
    [InlineData("wow!?... ok", "wow|!?...|ok")]
    [InlineData("a_b", "a|_|b")]
    [InlineData("नि", "न|ि")]             // a vowel sign is no letter
    [InlineData("𝒜𝒷\U0001F600", "𝒜𝒷|\U0001F600")]  // letters beyond the basic plane are letters
    [InlineData("a\u00a0b\u2003c\u0085d", "a|b|c|d")]
    [InlineData("İI", "i|\u0307|i")]
    public void Words_are_split_as_CLIP_does(string text, string words) =>
        Assert.Equal(words.Split('|').SelectMany(Word), Tokenizer.Encode(text));

    [Fact]
    public void Special_tokens_in_the_text_become_their_ids()
    {
        Assert.Equal([513, 517, 518, 515], Tokenizer.Encode("dog<|startoftext|> <|ENDOFTEXT|>cat"));
        Assert.DoesNotContain(517, Tokenizer.Encode("<|startoftext |>"));
    }

    [Fact]
    public void Random_text_survives_the_round_trip()
    {
        foreach (var text in RandomTexts(seed: 2, count: 2000))
        {
            var ids = Tokenizer.Encode(text);
            Assert.All(ids, id => Assert.InRange(id, 0, Tokenizer.VocabularySize - 1));
            Assert.Equal(TextNormalizer.Normalize(text).Replace(" ", ""), Tokenizer.Decode(ids).Replace(" ", ""));
        }
    }

    [Fact]
    public void Added_tokens_and_another_pad_are_read_in_the_old_and_the_new_form()
    {
        using var folder = Vocabularies.Small();
        folder.Write("tokenizer_config.json", """{ "pad_token": "<|endoftext|>", "model_max_length": 20 }""");
        folder.Write("special_tokens_map.json", """{ "pad_token": "!", "eos_token": { "content": "<|endoftext|>" } }""");
        folder.Write("added_tokens.json", """{ "<thing>": 519 }""");
        var old = ClipTokenizer.Load(folder.Path);
        Assert.Equal(('!', 20, 520), (old.PadId, old.MaxLength, old.VocabularySize));
        Assert.Equal([513, 519, 515], old.Encode("dog <Thing>cat"));
        Assert.Equal([517, 513, 518, '!', '!'], old.EncodePadded("dog")[..5]);

        folder.Write("tokenizer_config.json", """
            { "model_max_length": 1000000000000000019884624838656, "pad_token": null, "added_tokens_decoder": { "519": { "content": "<other>" } } }
            """);
        var current = ClipTokenizer.Load(folder.Path);
        Assert.Equal((518, 77), (current.PadId, current.MaxLength));
        Assert.Equal([519], current.Encode("<other>"));
    }

    [Fact]
    public void Missing_letters_become_the_unknown_token()
    {
        using var folder = new TempFolder();
        folder.Write("vocab.json", """{ "a": 0, "b": 1, "a</w>": 2, "b</w>": 3, "ab</w>": 4, "<|startoftext|>": 5, "<|endoftext|>": 6 }""");
        folder.Write("merges.txt", "#version: 0.2\na b</w>\n");
        Assert.Equal([0, 4, 6, 2], ClipTokenizer.Load(folder.Path).Encode("aab xa"));
    }

    [Theory]
    [InlineData("vocab.json", "{")]
    [InlineData("vocab.json", "[]")]
    [InlineData("vocab.json", """{ "a": "b" }""")]
    [InlineData("vocab.json", """{ "a": -1 }""")]
    [InlineData("vocab.json", """{ "a": 1 }""")]
    [InlineData("merges.txt", "c a t")]
    [InlineData("merges.txt", "nothing known")]
    [InlineData("tokenizer_config.json", """{ "model_max_length": 2 }""")]
    [InlineData("tokenizer_config.json", """{ "bos_token": "<begin>" }""")]
    [InlineData("tokenizer_config.json", """{ "bos_token": 3 }""")]
    [InlineData("tokenizer_config.json", """{ "added_tokens_decoder": { "x": { "content": "y" } } }""")]
    [InlineData("tokenizer_config.json", """{ "added_tokens_decoder": { "7": {} } }""")]
    public void Damaged_files_are_named(string file, string content)
    {
        using var folder = Vocabularies.Small();
        folder.Write(file, content);
        var error = Assert.Throws<FileException>(() => ClipTokenizer.Load(folder.Path));
        Assert.StartsWith(folder.Path, error.Message);
        Assert.Contains("copy the folder again", error.Message);
    }

    [Fact]
    public void Folder_without_a_vocabulary_is_refused()
    {
        using var folder = new TempFolder();
        var error = Assert.Throws<FileException>(() => ClipTokenizer.Load(folder.Path));
        Assert.Contains("expected vocab.json and merges.txt, or tokenizer.json", error.Message);
    }

    [Fact]
    public void Damaged_fast_tokenizer_file_is_named()
    {
        using var folder = new TempFolder();
        var path = folder.Write("tokenizer.json", """{ "model": { "vocab": {} } }""");
        Assert.Equal(path, Assert.Throws<FileException>(() => ClipTokenizer.Load(folder.Path)).Path);
    }

    /// <summary>Texts of random UTF-16 units: much ASCII, some of anything, lone surrogates among it.</summary>
    public static IEnumerable<string> RandomTexts(int seed, int count)
    {
        var random = new Random(seed);
        for (var i = 0; i < count; i++)
        {
            var text = new StringBuilder();
            for (var length = random.Next(60); length > 0; length--)
                text.Append((char)(random.Next(3) switch { 0 => random.Next(0x80), 1 => random.Next(0x800), _ => random.Next(0x10000) }));
            yield return text.ToString();
        }
    }

    /// <summary>Ids of one word by hand: bytes, the last with the end of word; no merge of the small vocabulary occurs in the words above.</summary>
    private static IEnumerable<int> Word(string word)
    {
        var bytes = Encoding.UTF8.GetBytes(word);
        return bytes.Select((value, index) => index == bytes.Length - 1 ? value + 256 : value);
    }
}
