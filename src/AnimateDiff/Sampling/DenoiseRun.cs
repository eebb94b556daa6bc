using AnimateDiff.Layers;
using AnimateDiff.Noise;
using AnimateDiff.Sampling.Long;

namespace AnimateDiff.Sampling;

/// <summary>The denoise loop of one request.</summary>
internal sealed record DenoiseRun(GenerationRequest Request, ClipSize Size, Scheduler Scheduler, NoisePrediction Prediction, ClipText Text, SourceStart? Start, Generator Generator,
    PipelineParts Parts, IProgress<GenerationProgress>? Progress, CancellationToken Cancellation)
{
    private int First => Start?.First ?? 0;

    // of the latents
    private int Height => Size.Height / Parts.VaeConfig.PixelsPerLatent;

    private int Width => Size.Width / Parts.VaeConfig.PixelsPerLatent;

    private int Evaluations => Scheduler.Timesteps.Count;

    /// <summary>All latents at once, [B, 4, F, h, w], in the caller's dispose scope.</summary>
    public Tensor InMemory()
    {
        using var scope = NewDisposeScope();
        var latents = Start?.Latents() ?? Noise(Size.Frames);
        var runs = Request.FreeInit ?? 1;
        var (done, total) = (0, runs * (Evaluations - First));
        var freeInit = new FreeInit(Scheduler, latents.alias());
        for (var run = 0; run < runs; run++)
        {
            if (run > 0)
                latents = latents.Then(x => freeInit.Next(x, Generator));
            using var sampler = Scheduler.Start();
            latents = Steps(sampler, latents, First, Evaluations, () => Progress?.Report(new(GenerationStage.Denoise, done++, total)));
        }
        Progress?.Report(new(GenerationStage.Denoise, done, total));
        return latents.MoveToOuterDisposeScope();
    }

    /// <summary>The noise of the first step, [B, 4, n, h, w], of as many frames.</summary>
    public Tensor Noise(int frames) => StartNoise.Draw(Request, Size with { Frames = frames }, Height, Width, Scheduler.InitNoiseSigma, Generator, Parts.Device);

    /// <summary>Some of the steps, in the caller's dispose scope.</summary>
    /// <param name="sampler">Its run.</param>
    /// <param name="latents">What they begin with, [B, 4, n, h, w]; let go of.</param>
    /// <param name="from">The first evaluation.</param>
    /// <param name="to">The one after the last.</param>
    /// <param name="report">Called before each.</param>
    /// <param name="frames">Which frames of the clip the latents are of; null for all.</param>
    public Tensor Steps(SchedulerRun sampler, Tensor latents, int from, int to, Action report, long[]? frames = null)
    {
        for (var i = from; i < to; i++)
        {
            Cancellation.ThrowIfCancellationRequested();
            report();
            SetStrengths(i);
            using var step = NewDisposeScope();
            var stepped = sampler.Step(frames is null ? Prediction.Of(latents, i) : Prediction.Of(latents, i, frames), i, latents, Generator);
            var next = (Start?.Keep(stepped, i + 1) ?? stepped).MoveToOuterDisposeScope();
            latents.Dispose();
            latents = next;
        }
        return latents;
    }

    // What changes over the steps: adapters, whose weights make keys and values of the text, and pictures beside it.
    private void SetStrengths(int index)
    {
        if (Parts.Adapters.MoveTo(index - First, Evaluations - First))
            Text.Renew();
        Parts.ImagePrompts.MoveTo(index - First, Evaluations - First);
    }

    /// <summary>A few frames at a time, with the latents in files; goes on where an earlier run of the same request was interrupted.</summary>
    /// <param name="identity">Says what the request is.</param>
    /// <exception cref="RequestException">The request's folder has another request's run.</exception>
    public ClipLatents InFiles(string identity)
    {
        var blocks = LongRun.Blocks(Size.Frames).ToArray();
        var run = LongRun.Open(Request.WorkFolder, identity, Size, Height, Width, Parts.Device);
        try
        {
            if (run.Next is null)
                run.Begin(First, Start is not null ? blocks.Select(block => Start.Latents(block))
                    : StartNoise.DrawBlocks(Request, Size, blocks, Height, Width, Scheduler.InitNoiseSigma, Generator, Parts.Device), Generator);
            run.Restore(Generator);

            int Windows(int from, int to) => Enumerable.Range(from, to - from).Sum(index => Prediction.Windows!.Of(Size.Frames, index).Count);
            var (done, total) = (Windows(First, run.Next!.Value), Windows(First, Evaluations));
            for (var i = run.Next.Value; i < Evaluations; i++)
            {
                SetStrengths(i);
                run.Step(i, Scheduler, Prediction, Start, Generator, () =>
                {
                    Cancellation.ThrowIfCancellationRequested();
                    Progress?.Report(new(GenerationStage.Denoise, Math.Min(++done, total), total));
                });
            }
            Progress?.Report(new(GenerationStage.Denoise, total, total));
            return new ClipLatents(frames => run.Read(frames, Evaluations), blocks, run);
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }
}
