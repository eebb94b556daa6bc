using AnimateDiff.Cli;
using AnimateDiff.Tests.Text;
using AnimateDiff.Video;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>The model beside the program, and its names; reference models stand in for the trained ones.</summary>
public sealed class EmbeddedToyboxTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TempFolder _vocabulary = Vocabularies.Small();

    private Dictionary<string, string> Environment => new() { [EmbeddedToybox.FolderVariable] = _folder["embedded"] };

    public void Dispose()
    {
        _folder.Dispose();
        _vocabulary.Dispose();
    }

    [Fact]
    public async Task Without_a_base_the_embedded_model_is_used_by_its_names_and_the_file_named_after_the_prompt()
    {
        Install();
        string[] command = ["generate", "A dog, a cat!", "--frames", "2", "--steps", "1", "--seed", "3", "--motion-lora", "toybox:zoom-in:0.5"];
        var (code, output, error) = await RunAsync(command);
        Assert.True(code == 0, error);
        Assert.Equal("a-dog-a-cat.gif", output.Trim());
        Assert.Contains("embedded Toybox model", error);
        var recipe = Recipe.FromJson(RecipeReader.Read(_folder["work/a-dog-a-cat.gif"]), "");
        Assert.Equal(("toybox", "toybox", "toybox:zoom-in", (Curve)0.5), (recipe.Base, recipe.Motion, recipe.Adapters[0].Path, recipe.Adapters[0].Scale));
        Assert.Equal((Curve)EmbeddedToybox.Guidance, recipe.GuidanceScale);

        (code, output, error) = await RunAsync(command);
        Assert.True(code == 0, error);
        Assert.Equal("a-dog-a-cat-2.gif", output.Trim());
        Assert.Equal(await File.ReadAllBytesAsync(_folder["work/a-dog-a-cat.gif"]), await File.ReadAllBytesAsync(_folder["work/a-dog-a-cat-2.gif"]));

        Directory.Move(_folder["embedded"], _folder["elsewhere"]);
        (code, _, error) = await RunAsync(["reproduce", "a-dog-a-cat.gif", "--out", "again.gif"]);
        Assert.Equal(3, code);
        Assert.Contains("not installed", error);
        Directory.Move(_folder["elsewhere"], _folder["embedded"]);
        (code, _, error) = await RunAsync(["reproduce", "a-dog-a-cat.gif", "--out", "again.gif"]);
        Assert.True(code == 0, error);
        Assert.Equal(await File.ReadAllBytesAsync(_folder["work/a-dog-a-cat.gif"]), await File.ReadAllBytesAsync(_folder["work/again.gif"]));
    }

    [Fact]
    public async Task A_base_of_ones_own_is_used_alone_and_a_data_set_called_toybox_is_no_model()
    {
        Install();
        Directory.CreateDirectory(_folder["work/toybox"]);
        var (code, _, error) = await RunAsync(["generate", "a dog", "--steps", "1", "--seed", "1", "--base", "toybox:neon", "--out", "dog.webp"]);
        Assert.True(code == 0, error);
        Assert.DoesNotContain("No --base given", error);
        var recipe = Recipe.FromJson(RecipeReader.Read(_folder["work/dog.webp"]), "");
        Assert.Equal(("toybox:neon", null, 1), (recipe.Base, recipe.Motion, recipe.Frames));

        (code, _, error) = await RunAsync(["generate", "a dog", "--steps", "1", "--seed", "1", "--base", "toybox", "--out", "own.webp"]);
        Assert.True(code == 0, error);
    }

    [Theory]
    [InlineData("a red ball moves right", "a-red-ball-moves-right.gif")]
    [InlineData("  Été: 100% \"neon\" / 2 ", "été-100-neon-2.gif")]
    [InlineData("!?", "animation.gif")]
    [InlineData("a very long prompt that goes on and on about a corgi running along the beach at dawn", "a-very-long-prompt-that-goes-on-and-on-about-a-corgi-running.gif")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.gif")]
    public void Files_are_named_after_prompts(string prompt, string expected) => Assert.Equal(expected, Generation.NameOf(prompt));

    /// <summary>A base, a personalised one, a motion module and a MotionLoRA where the trained ones will be.</summary>
    private void Install()
    {
        var embedded = _folder["embedded"];
        ReferenceModels.CopyBase(Path.Combine(embedded, "base"), _vocabulary);
        ReferenceModels.CopyBase(Path.Combine(embedded, "neon"), _vocabulary);
        CheckpointConverter.Convert(ReferenceModels.OfficialMotion("v2"), Path.Combine(embedded, "motion"), ConversionTarget.Diffusers);
        Directory.CreateDirectory(Path.Combine(embedded, "motion-lora"));
        CheckpointConverter.Convert(Goldens.Model("motionlora-zoom-in.ckpt"), Path.Combine(embedded, "motion-lora", "zoom-in.safetensors"), ConversionTarget.Diffusers);
        Directory.CreateDirectory(_folder["work"]);
    }

    private Task<(int Code, string Output, string Error)> RunAsync(string[] args) => CliProcess.RunInAsync(_folder["work"], Environment, args);
}
