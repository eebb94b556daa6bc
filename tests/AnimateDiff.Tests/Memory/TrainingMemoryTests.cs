using AnimateDiff.Tests.Training;
using AnimateDiff.Training;

namespace AnimateDiff.Tests.Memory;

/// <summary>A run holds as many tensors after many steps as after few.</summary>
public sealed class TrainingMemoryTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("domain-adapter", "")]
    [InlineData("motion-module", "gradient_accumulation=2 ema_decay=0.9 checkpoint_every=2")]
    [InlineData("motion-module", "recompute=true precision=bf16 weak_signal=0.5")]
    [InlineData("motion-lora", "domain_adapter=ADAPTER")]
    [InlineData("image-finetune", "train_text_encoder=true")]
    [InlineData("image-finetune", "rank=2 min_snr_gamma=5 offset_noise=0.1")]
    [InlineData("vae", "crop=16")]
    [InlineData("motion-module", "cache=CACHE")]
    [InlineData("tune-a-video", "video=CLIP recompute=true")]
    public async Task Steps_leave_no_tensors(string stage, string settings)
    {
        // The same caption in each step: embeddings of captions are kept on purpose.
        string[] others = settings.Replace("ADAPTER", Goldens.Model("domain-adapter.ckpt")).Replace("CACHE", _folder["cache"]).Replace("CLIP", Path.Combine(TrainingRuns.Clips, "0.webp")).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var recipe = await TrainingRuns.RecipeAsync(_folder, stage, ["steps=5", "batch_size=1", "data.limit=1", "caption_dropout=0", .. others]);
        var counter = new Counter();
        await Trainer.RunAsync(new TrainingRequest(recipe) { Output = _folder["run"] }, counter, TestContext.Current.CancellationToken);
        Assert.Equal(5, counter.Live.Count);
        Assert.Equal(Enumerable.Repeat(counter.Live[1], 4), counter.Live.Skip(1));
    }

    /// <summary>Tensors that are alive on the run's thread after each step, which is where a run reports.</summary>
    private sealed class Counter : IProgress<TrainingProgress>
    {
        public List<long> Live { get; } = [];

        public void Report(TrainingProgress value)
        {
            if (value is { Step: > 0, Message: null })
                Live.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        }
    }
}
