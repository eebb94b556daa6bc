using System.Text.Json;
using AnimateDiff.Video;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>The command line from arguments to files, on the reference model and a small vocabulary.</summary>
public sealed class GenerateTests : ModelCommandTests
{
    [Theory]
    [InlineData("clip.gif")]
    [InlineData("clip.webp")]
    [InlineData("clip.apng")]
    [InlineData("clip.mp4")]
    [InlineData("frames/")]
    public async Task An_animation_is_written_and_can_be_reproduced(string name)
    {
        var (code, output, error) = await CliProcess.RunAsync([
            "generate", "a dog", "--negative", "a cat", "--frames", "4", "--steps", "2", "--seed", "7", "--scheduler", "euler-a", "--fps", "10",
            "--motion-lora", Goldens.Model("motionlora-zoom-in.ckpt") + ":0.8", .. Model, "--out", _folder[name],
        ]);
        Assert.True(code == 0, error);
        Assert.Equal(_folder[name], output.Trim());
        Assert.Contains("seed 7", error);
        Assert.Contains("Denoising 2/2", error);

        var recipe = Recipe.FromJson(RecipeReader.Read(_folder[name]), name);
        Assert.Equal((7UL, 4, 64, 10.0, "euler-a"), (recipe.Seed, recipe.Frames, recipe.Width, recipe.Fps, recipe.Scheduler));
        Assert.Equal((Curve)0.8, Assert.Single(recipe.Adapters).Scale);
        Assert.All(recipe.Files, file => Assert.Matches("^[0-9a-f]{64}$", file.Sha256));
        Assert.Contains(recipe.Files, file => file.Path.EndsWith("vocab.json"));

        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder[name], "--out", _folder["again.webp"]);
        Assert.True(code == 0, error);
        var (first, again) = (await VideoReader.ReadAsync(_folder[name]), await VideoReader.ReadAsync(_folder["again.webp"]));
        Assert.Equal(first.Frames.Frames, again.Frames.Frames);
        if (name is not ("clip.gif" or "clip.mp4"))                         // those do not keep every colour
            Assert.Equal(first.Frames.Pixels.ToArray(), again.Frames.Pixels.ToArray());
    }

    [Fact]
    public async Task Several_prompts_make_several_animations_and_a_random_seed_is_told()
    {
        var (code, output, error) = await CliProcess.RunAsync(["generate", "a dog", "a cat", "--frames", "2", "--steps", "1", .. Model, "--out", _folder["pets.gif"]]);
        Assert.True(code == 0, error);
        Assert.Equal([_folder["pets-01.gif"], _folder["pets-02.gif"]], output.Trim().Split('\n'));
        var seeds = new[] { "pets-01.gif", "pets-02.gif" }.Select(name => Recipe.FromJson(RecipeReader.Read(_folder[name]), name).Seed);
        Assert.All(seeds, seed => Assert.Contains($"seed {seed}", error));
    }

    [Fact]
    public async Task Ctrl_C_stops_after_the_step_and_leaves_nothing()
    {
        using var process = CliProcess.Start(new Dictionary<string, string>(), ["generate", "a dog", "--frames", "16", "--steps", "1000", "--scheduler", "ddpm", .. Model, "--out", _folder["clip.gif"]]);
        var seen = "";
        while (!seen.Contains("Denoising") && await process.StandardError.ReadLineAsync() is { } line)
            seen += line;
        CliProcess.Signal(process, CliProcess.Interrupt);
        var rest = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromMinutes(2)).Token);
        Assert.Equal(4, process.ExitCode);
        Assert.Contains("nothing half-written", await rest);
        Assert.Empty(_folder.Entries);
    }

    [Fact]
    public async Task A_recipe_is_not_made_again_from_other_files()
    {
        var (code, _, error) = await CliProcess.RunAsync(["generate", "a dog", "--frames", "2", "--steps", "1", "--seed", "1", .. Model, "--out", _folder["clip.gif"]]);
        Assert.True(code == 0, error);
        (code, _, error) = await CliProcess.RunAsync("reproduce", _folder["clip.gif"], "--motion", Goldens.Model("motion-v3.ckpt"), "--out", _folder["again.gif"]);
        Assert.Equal(3, code);
        Assert.Contains("is not the file that made the animation", error);
        Assert.Equal(["clip.gif"], _folder.Entries);
    }

    [Fact]
    public async Task A_textual_inversion_is_called_by_its_name()
    {
        using (var vectors = randn([2, 48], generator: new Generator(3, CPU)))
            SafetensorsWriter.Write(_folder["mystyle.safetensors"], [("emb_params", vectors)]);
        string[] command = ["generate", "a mystyle dog", "--frames", "2", "--steps", "2", "--seed", "1", .. Model];
        var (code, _, error) = await CliProcess.RunAsync([.. command, "--out", _folder["without.webp"]]);
        Assert.True(code == 0, error);
        (code, _, error) = await CliProcess.RunAsync([.. command, "--embedding", _folder["mystyle.safetensors"], "--out", _folder["with.webp"]]);
        Assert.True(code == 0, error);
        var (without, with) = (await VideoReader.ReadAsync(_folder["without.webp"]), await VideoReader.ReadAsync(_folder["with.webp"]));
        Assert.NotEqual(without.Frames.Pixels.ToArray(), with.Frames.Pixels.ToArray());
    }

    [Fact]
    public async Task A_forced_pair_says_what_was_left_out()
    {
        var (code, _, error) = await CliProcess.RunAsync([
            "generate", "a dog", "--frames", "2", "--steps", "1", "--dtype", "bf16", "--base", Goldens.Model("nano-sd15"), "--tokenizer", _vocabulary.Path, "--motion", Goldens.Model("motion-v3.ckpt"),
            "--motion-lora", Goldens.Model("motionlora-zoom-in.ckpt"), "--force", "--out", _folder["clip.gif"],
        ]);
        Assert.True(code == 0, error);
        Assert.Contains("warning: 8 layers of the MotionLoRAs belong to a middle block", error);
        Assert.Equal("bf16", Recipe.FromJson(RecipeReader.Read(_folder["clip.gif"]), "").Dtype);
    }

    [Fact]
    public async Task Official_prompt_files_run()
    {
        var config = _folder.Write("prompts.yaml", JsonSerializer.Serialize(new[]
        {
            new Dictionary<string, object>
            {
                ["motion_module"] = Goldens.Model("motion-v2.safetensors"),
                ["motion_module_lora_configs"] = new[] { new Dictionary<string, object> { ["path"] = Goldens.Model("motionlora-zoom-in.ckpt"), ["alpha"] = 1.0 } },
                ["seed"] = new[] { 12192490710448890259UL, 5UL }, ["steps"] = 1, ["guidance_scale"] = 7.5, ["W"] = 64, ["H"] = 48, ["L"] = 2,
                ["prompt"] = new[] { "a dog", "a cat" }, ["n_prompt"] = new[] { "a dog" },
            },
        }));
        ReferenceModels.CopyBase(_folder["sd15"], _vocabulary);
        var (code, output, error) = await CliProcess.RunAsync("run", config, "--pretrained-model-path", _folder["sd15"], "--out", _folder["samples"], "--memory", "low");
        Assert.True(code == 0, error);
        Assert.Equal([_folder["samples/prompts-1-01.gif"], _folder["samples/prompts-1-02.gif"]], output.Trim().Split('\n'));
        var recipe = Recipe.FromJson(RecipeReader.Read(_folder["samples/prompts-1-01.gif"]), "");
        Assert.Equal((12192490710448890259UL, 48, 2, true), (recipe.Seed, recipe.Height, recipe.Frames, recipe.Truncate));
        Assert.Equal((MemoryUse.Low, "bf16"), (recipe.Memory, recipe.Dtype));
    }
}
