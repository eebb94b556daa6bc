using AnimateDiff.Layers;
using AnimateDiff.Noise;

namespace AnimateDiff.Sampling;

/// <summary>Text2Video-Zero's way from noise to the latents of a clip (Khachatryan et al. 2023, arXiv 2303.13439, algorithm 1), of which one frame is drawn and the others follow.</summary>
internal static class ZeroShotVideo
{
    private static readonly long[] _first = [0];

    /// <summary>The latents of the clips, [B, 4, F, h, w], in the caller's dispose scope.</summary>
    /// <param name="run">The run; its UNet's frames look at the first.</param>
    public static Tensor Latents(DenoiseRun run)
    {
        using var scope = NewDisposeScope();
        var (scheduler, settings) = (run.Scheduler, run.Request.ZeroShotInEffect.Settled(run.Scheduler.Steps));
        int Evaluation(int? step) => scheduler.EntryOfStep(scheduler.Steps - 1 - step!.Value);
        var (t0, t1, end) = (Evaluation(settings.T0), Evaluation(settings.T1), scheduler.Timesteps.Count);
        var (done, total) = (0, t0 + end - t1);
        void Report() => run.Progress?.Report(new(GenerationStage.Denoise, done++, total));

        // 1. the first frame, from noise to x_T1 and on to x_T0
        using var alone = scheduler.Start();
        var begun = run.Steps(alone, run.Noise(frames: 1), 0, t1, Report, _first);
        var further = run.Steps(alone, begun.alias(), t1, t0, Report, _first);

        // 2. the others: the first frame's x_T0, shifted farther from frame to frame, under noise again to x_T1
        var others = cat([.. Enumerable.Range(1, run.Size.Frames - 1).Select(frame => Shift(further, frame * settings.X, frame * settings.Y))], 2);
        var (signal, noise) = Forward(scheduler, t0, t1);
        others = others.Times(signal).Add(Draw(others, run.Generator).Times(noise));

        // 3. all of them to the end
        using var together = scheduler.Start();
        var clip = run.Steps(together, cat([begun, others], 2), t1, end, Report);
        run.Progress?.Report(new(GenerationStage.Denoise, done, total));
        return clip.MoveToOuterDisposeScope();
    }

    /// <summary>Latents of a picture that has moved to the left and up; beyond its border it is mirrored.</summary>
    /// <param name="latents">[…, h, w]</param>
    /// <param name="x">To the left, in 512ths of the width.</param>
    /// <param name="y">Up, in 512ths of the height.</param>
    public static Tensor Shift(Tensor latents, double x, double y)
    {
        using var scope = NewDisposeScope();
        Tensor Places(long count, double shift) => tensor(Enumerable.Range(0, (int)count).Select(place => Source(place, count, shift)).ToArray(), device: latents.device);
        return latents.index_select(-1, Places(latents.shape[^1], x)).index_select(-2, Places(latents.shape[^2], y)).MoveToOuterDisposeScope();
    }

    // Where a place's value comes from: the nearest to one half of a 512th before the shifted place, for the published code samples a field of 512×512 so.
    private static long Source(int place, long count, double shift)
    {
        var at = Math.Abs(place + 0.5 + (shift - 0.5) * count / 512);                                        // from the border
        var (times, rest) = ((long)(at / count), at % count);
        var mirrored = times % 2 == 0 ? rest : count - rest;
        return Math.Clamp((long)Math.Round(mirrored - 0.5, MidpointRounding.ToEven), 0, count - 1);
    }

    // The forward process from one evaluation's level of noise to that of an earlier one, x → signal·x + noise·ε.
    private static (double Signal, double Noise) Forward(Scheduler scheduler, int from, int to)
    {
        if (scheduler.Sigmas.Count == 0)
        {
            // The published product of 1 − β begins and ends one timestep early.
            double Before(int index) => scheduler.Timesteps[index] < 1 ? 1 : scheduler.Betas.AlphasCumprod[(int)scheduler.Timesteps[index] - 1];
            var kept = Before(to) / Before(from);
            return (Math.Sqrt(kept), Math.Sqrt(1 - kept));
        }
        var (former, later) = (scheduler.LevelAt(from), scheduler.LevelAt(to));
        var signal = later.Signal / former.Signal;
        return (signal, Math.Sqrt(later.Noise * later.Noise - signal * signal * former.Noise * former.Noise));
    }

    // Drawn [B, F−1, 4, h, w], frame after frame.
    private static Tensor Draw(Tensor like, Generator generator)
    {
        var (clips, channels, frames, height, width) = (like.shape[0], like.shape[1], like.shape[2], like.shape[3], like.shape[4]);
        return randn([clips, frames, channels, height, width], ScalarType.Float32, CPU, generator: generator).Then(drawn => drawn.transpose(1, 2)).Then(drawn => drawn.contiguous())
            .Then(drawn => drawn.to(like.device));
    }
}
