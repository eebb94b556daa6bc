using AnimateDiff.Text;

namespace AnimateDiff.Tests.Text;

public class ClipTextConfigTests
{
    [Fact]
    public void File_of_the_model_is_read()
    {
        var config = ClipTextConfig.Read(Path.Combine(Goldens.Model("nano-sd15"), "text_encoder", "config.json"));
        Assert.Equal(new ClipTextConfig { HiddenSize = 48, IntermediateSize = 192, NumHiddenLayers = 3, EosTokenId = 49407 }, config);
    }

    [Theory]
    [InlineData("""{ "eos_token_id": 2, "vocab_size": 600 }""", 599)]
    [InlineData("""{ "text_config": { "eos_token_id": 7 } }""", 7)]
    public void End_token_of_old_files_is_the_last_id(string json, int pooled)
    {
        using var folder = new TempFolder();
        Assert.Equal(pooled, ClipTextConfig.Read(folder.Write("config.json", json)).PooledTokenId);
    }

    [Theory]
    [InlineData("""{ "hidden_act": "relu" }""", "'relu', expected 'quick_gelu' or 'gelu'")]
    [InlineData("""{ "num_attention_heads": 7 }""", "hidden_size 768 is not a multiple of num_attention_heads 7")]
    [InlineData("""{ "num_hidden_layers": 0 }""", "below 1")]
    [InlineData("""{ "hidden_size": "wide" }""", "cannot be read")]
    [InlineData("[]", "cannot be read")]
    [InlineData("{", "cannot be read")]
    public void Files_that_describe_no_such_model_are_refused(string json, string reason)
    {
        using var folder = new TempFolder();
        var path = folder.Write("config.json", json);
        var error = Assert.Throws<FileException>(() => ClipTextConfig.Read(path));
        Assert.StartsWith(path, error.Message);
        Assert.Contains(reason, error.Message);
    }

    [Fact]
    public void Missing_file_is_named() => Assert.Contains("does not exist", Assert.Throws<FileException>(() => ClipTextConfig.Read("/nowhere/config.json")).Message);
}
