using System.Text.Json;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>Clips measured from the command line.</summary>
public sealed class EvaluateCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_clip_of_the_front_page_is_measured()
    {
        var (code, output, error) = await CliProcess.RunAsync("evaluate", Path.Combine(Goldens.Repository, "docs/toybox.gif"), $"frames={Goldens.Input("clip-frames")}",
            "--json", _folder["scores.json"], "--plot", _folder["scores.png"]);
        Assert.True(code == 0, error);
        Assert.Matches(@"^ +toybox\.gif +frames\n", output);
        Assert.Contains("motion (% of side)", output);
        Assert.DoesNotContain("CLIP", output);
        Assert.Contains("Measuring 2/2", error);
        using var json = JsonDocument.Parse(await File.ReadAllTextAsync(_folder["scores.json"], TestContext.Current.CancellationToken));
        Assert.Equal(2, json.RootElement.GetProperty("systems").GetArrayLength());
        Assert.Equal(["scores.json", "scores.png"], _folder.Entries);
    }

    [Fact]
    public async Task Wrong_input_is_one_sentence_with_its_exit_code()
    {
        var clip = Goldens.Input("clip-frames");
        foreach (var (expected, words, args) in new (int, string, string[])[]
        {
            (3, "no folder", [clip, "--clip", "/nowhere/clip"]),
            (2, "--clip", [clip, "--prompt", "a corgi"]),
        })
        {
            var (code, output, error) = await CliProcess.RunAsync(["evaluate", .. args]);
            Assert.Equal((expected, ""), (code, output));
            Assert.Contains(words, error);
        }
    }
}
