using System.Text;
using System.Text.Json;
using AnimateDiff.Text;

namespace AnimateDiff.Tests.Text;

/// <summary>Tokenizer folders for tests.</summary>
internal static class Vocabularies
{
    /// <summary>A folder with the real CLIP vocabulary, which is not in the repository: without it the test is skipped, and fails on a build server.</summary>
    public static string Clip(string tokenizer = "nano-sd15/tokenizer")
    {
        var folder = Path.Combine(Goldens.Shared ?? "", "models", tokenizer);
        if (Goldens.Shared is null || !File.Exists(Path.Combine(folder, "vocab.json")))
        {
            const string reason = "The CLIP vocabulary is third-party data and not in the repository; set ANIMATEDIFF_GOLDENS to the full reference set.";
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true", reason);
            Assert.Skip(reason);
        }
        return folder;
    }

    /// <summary>A made-up vocabulary in CLIP's order: every byte inside (0 … 255) and at the end (256 …) of a word, a few merges (512 …), begin and end.</summary>
    public static TempFolder Small()
    {
        string[] merges = ["d o", "do g</w>", "c a", "ca t</w>", "Ã ©</w>"];
        var bytes = ByteAlphabet();
        string[] tokens = [.. bytes, .. bytes.Select(letter => letter + "</w>"), .. merges.Select(merge => merge.Replace(" ", "")), "<|startoftext|>", "<|endoftext|>"];
        var folder = new TempFolder();
        folder.Write("vocab.json", JsonSerializer.Serialize(tokens.Index().ToDictionary(entry => entry.Item, entry => entry.Index)));
        folder.Write("merges.txt", "#version: 0.2\n" + string.Join('\n', merges) + "\n");
        return folder;
    }

    /// <summary>A tokenizer over <see cref="Small"/>.</summary>
    public static ClipTokenizer SmallTokenizer()
    {
        using var folder = Small();
        return ClipTokenizer.Load(folder.Path);
    }

    /// <summary>The letters that byte-level encodings write bytes as: Latin-1 where it is printable, else U+0100 and on.</summary>
    private static string[] ByteAlphabet()
    {
        var next = 0x100;
        bool Printable(int value) => value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE;
        return [.. Enumerable.Range(0, 256).Select(value => ((char)(Printable(value) ? value : next++)).ToString())];
    }
}
