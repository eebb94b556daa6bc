using System.CommandLine;
using AnimateDiff.Cli;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>One YAML file for all options.</summary>
public sealed class ConfigFileTests : ModelCommandTests
{
    [Fact]
    public async Task A_file_is_its_flags()
    {
        string[] model = ["--base", Goldens.Model("nano-sd15"), "--motion", Goldens.Model("motion-v3.ckpt"), "--tokenizer", _vocabulary.Path];
        string lora = Goldens.Model("kohya-style.safetensors"), adapter = Goldens.Model("domain-adapter.ckpt");
        _folder.Write("clip.yaml", $$"""
            prompt: a dog
            negative: "a cat: old"
            prompt-at: {1: a cat}
            base: {{Goldens.Model("nano-sd15")}}
            motion: {{Goldens.Model("motion-v3.ckpt")}}
            tokenizer: {{_vocabulary.Path}}
            lora: ["{{lora}}:0:1,1:0", "{{lora}}:0.5"]
            domain-adapter: {{adapter}}:0%:1,50%:0.2
            frames: 2
            steps: 2
            seed: 7
            guidance:
              0: 9
              1: 4
            scheduler: euler
            scheduler-option: {timestep_spacing: trailing}
            truncate: true
            force: no
            width:
            """);
        var (code, _, error) = await CliProcess.RunAsync("generate", "--config", _folder["clip.yaml"], "--out", _folder["file.webp"]);
        Assert.True(code == 0, error);
        (code, _, error) = await CliProcess.RunAsync(["generate", "a dog", "--negative", "a cat: old", "--prompt-at", "1:a cat", .. model, "--lora", $"{lora}:0:1,1:0", "--lora", $"{lora}:0.5",
            "--domain-adapter", $"{adapter}:0%:1,50%:0.2", "--frames", "2", "--steps", "2", "--seed", "7", "--guidance", "0:9,1:4", "--scheduler", "euler", "--scheduler-option", "timestep_spacing=trailing",
            "--truncate", "--out", _folder["flags.webp"]]);
        Assert.True(code == 0, error);
        Assert.Equal(RecipeReader.Read(_folder["flags.webp"]), RecipeReader.Read(_folder["file.webp"]));
        Assert.Contains("\"0:1,1:0\"", RecipeReader.Read(_folder["file.webp"]));

        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["file.webp"], "--out", _folder["again.webp"]);
        Assert.True(code == 0, error);
        Assert.Equal((await VideoReader.ReadAsync(_folder["file.webp"])).Frames.Pixels.ToArray(), (await VideoReader.ReadAsync(_folder["again.webp"])).Frames.Pixels.ToArray());
    }

    [Theory]
    [InlineData("steps: 4\nlora: [a, b]\nprompt: x", "generate|--steps=4|--lora=a|--lora=b|--config|FILE|--|x", "generate|--config|FILE")]
    [InlineData("steps: 4\nlora: [a, b]\nprompt: [x, --y]", "generate|--config|FILE|--steps|5|--lora|c|--|x|--y", "generate|--config|FILE|--steps|5|--lora|c")]
    [InlineData("seed: [1, 2]\nprompt: x", "generate|--seed=1|--seed=2|z|--config|FILE", "generate|z|--config|FILE")]
    [InlineData("prompt-at: {8: a, 9: b}\nsparse: {0: a.png}", "generate|--prompt-at=8:a|--prompt-at=9:b|--sparse=0:a.png|z|--config|FILE", "generate|z|--config|FILE")]
    [InlineData("negative: \"\"\ntruncate: on\nwidth:", "generate|--negative||--truncate=true|z|--config|FILE", "generate|z|--config|FILE")]
    [InlineData("guidance: {0%: 9, 60%: 5}\ncontrol: {canny: a.mp4}", "generate|--guidance=0%:9,60%:5|--control=canny=a.mp4|z|--config|FILE", "generate|z|--config|FILE")]
    [InlineData("steps: 4", "inspect|FILE", "inspect|FILE")]
    public void What_the_command_line_has_wins(string yaml, string expected, string given)
    {
        var file = _folder.Write("clip.yaml", yaml);
        string[] Words(string text) => [.. text.Replace("FILE", file).Split('|')];
        Assert.Equal(Words(expected), ConfigFile.Expand(new Command("animatediff") { GenerateCommand.Create(), InspectCommand.Create() }, Words(given)));
    }

    [Theory]
    [InlineData("step: 4", 2, "line 1: unknown key step (did you mean steps?)")]
    [InlineData("steps: four", 2, "four")]
    [InlineData("prompt: x\ntruncate: maybe", 2, "line 2: truncate is “maybe”, expected true or false")]
    [InlineData("lora: [[a]]", 2, "lora has a list or group in its list")]
    [InlineData("- steps", 2, "expected the options of generate")]
    [InlineData("config: other.yaml", 2, "unknown key config")]
    [InlineData("a: [b", 3, "correct the YAML")]
    [InlineData(null, 3, "does not exist")]
    [InlineData("guidance: strong\nprompt: x", 2, "'strong' is no strength")]
    public async Task What_is_no_option_is_said(string? yaml, int code, string message)
    {
        if (yaml is not null)
            _folder.Write("clip.yaml", yaml);
        using var error = new StringWriter();
        Assert.Equal(code, await App.RunAsync(["generate", "--config", _folder["clip.yaml"]], error, TestContext.Current.CancellationToken));
        Assert.Contains(message, error.ToString());
    }

    [Fact]
    public void The_example_has_only_options_there_are()
    {
        string[] given = ["generate", "--config", Path.Combine(Goldens.Repository, "docs", "examples", "clip.yaml")];
        var root = new Command("animatediff") { GenerateCommand.Create() };
        Assert.Empty(root.Parse(ConfigFile.Expand(root, given)).Errors);
    }
}
