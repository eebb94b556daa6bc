using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Training;

/// <summary>Runs from cached latents are the runs without, and a cache is not read for what it was not made for.</summary>
public sealed class CachedLatentsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_run_is_the_same_bit_for_bit_and_a_second_one_reads_no_video()
    {
        var without = await TrainingRuns.RunAsync(_folder, "motion-module", "steps=2");
        foreach (var file in Directory.EnumerateFiles(TrainingRuns.Clips))
            _folder.Write($"clips/{Path.GetFileName(file)}", File.ReadAllBytes(file));
        string[] settings = ["steps=2", $"data.path={_folder["clips"]}", $"cache={_folder["cache"]}"];
        RequireSame(without, await TrainingRuns.RunAsync(_folder, "motion-module", settings));

        foreach (var clip in Directory.GetFiles(_folder["clips"], "*.webp"))               // of the same length and age, so that only reading them shows
        {
            var (length, time) = (new FileInfo(clip).Length, File.GetLastWriteTimeUtc(clip));
            File.WriteAllBytes(clip, new byte[length]);
            File.SetLastWriteTimeUtc(clip, time);
        }
        RequireSame(without, await TrainingRuns.RunAsync(_folder, "motion-module", settings));
        await Assert.ThrowsAsync<FileException>(() => TrainingRuns.RunAsync(_folder, "motion-module", settings[..^1]));
    }

    [Fact]
    public async Task Another_size_and_another_VAE_make_other_files()
    {
        var cache = $"cache={_folder["cache"]}";
        string[] settings = ["steps=1", "batch_size=1", "data.limit=2", cache];
        await TrainingRuns.RunAsync(_folder, "domain-adapter", settings);
        string[] Latents() => [.. Directory.GetFiles(_folder["cache"]).Where(file => !Path.GetFileName(file).StartsWith("text-", StringComparison.Ordinal))];
        var first = Latents();
        await TrainingRuns.RunAsync(_folder, "domain-adapter", [.. settings, "data.width=40"]);
        var second = Latents();
        using (var vae = VaeFiles.Open(Path.Combine(Goldens.Model("nano-sd15"), "vae")))
        {
            _folder.Write("vae/config.json", vae.Config);
            SafetensorsWriter.Write(_folder["vae/diffusion_pytorch_model.safetensors"], vae.Weights, dtype: (_, _) => ScalarType.BFloat16);
        }
        await TrainingRuns.RunAsync(_folder, "domain-adapter", [.. settings, $"vae={_folder["vae"]}"]);
        await TrainingRuns.RunAsync(_folder, "domain-adapter", settings);
        Assert.Equal((2, 4, 6), (first.Length, second.Length, Latents().Length));
    }

    [Fact]
    public async Task It_is_refused_with_flipping()
    {
        var refused = await Assert.ThrowsAsync<RequestException>(() => TrainingRuns.RunAsync(_folder, "motion-module", "data.flip=true", $"cache={_folder["cache"]}"));
        Assert.Contains("cannot be flipped", refused.Message);
        Assert.False(Directory.Exists(_folder["cache"]));
    }

    private static void RequireSame(TrainingRuns.Finished without, TrainingRuns.Finished cached)
    {
        Assert.Equal(TrainingRuns.Numbers(without.Folder), TrainingRuns.Numbers(cached.Folder));
        Assert.Empty(TrainingRuns.Changed(without.Weights("motion-module.safetensors"), cached.Weights("motion-module.safetensors")));
    }
}
