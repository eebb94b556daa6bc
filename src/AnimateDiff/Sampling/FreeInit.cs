using AnimateDiff.Noise;

namespace AnimateDiff.Sampling;

/// <summary>
/// FreeInit (Wu et al. 2023, arXiv 2312.07537): a run is made several times, each from the low frequencies of what the one before ended in, noised
/// again with its own noise, and from the high frequencies of new noise. Frames then belong together more, and move less.
/// </summary>
/// <param name="scheduler">Noises, and says in which scale a run begins.</param>
/// <param name="start">Latents the first run begins with, [B, 4, F, h, w]; only a reference is kept.</param>
internal sealed class FreeInit(Scheduler scheduler, Tensor start)
{
    private const double StopFrequency = 0.25;                                                               // of space and time, as in diffusers
    private const int Order = 4;

    /// <summary>What the next run begins with, [B, 4, F, h, w].</summary>
    /// <param name="latents">What the last one ended in.</param>
    /// <param name="generator">Draws the new noise.</param>
    public Tensor Next(Tensor latents, Generator generator)
    {
        using var scope = NewDisposeScope();
        // Samplers along σ know the levels that they visit, the first being that of their initial noise; the others know all of the training.
        var last = scheduler.Sigmas.Count > 0 ? scheduler.Timesteps[0] : scheduler.Options.NumTrainTimesteps - 1;
        var noised = scheduler.AddNoise(latents, start.Over(scheduler.InitNoiseSigma), [.. Enumerable.Repeat(last, (int)latents.shape[0])]);
        var fresh = randn(latents.shape, ScalarType.Float32, CPU, generator: generator).Times(scheduler.InitNoiseSigma).to(latents.device);
        long[] axes = [-3, -2, -1];
        var lowPass = tensor(LowPass((int)latents.shape[2], (int)latents.shape[3], (int)latents.shape[4]), latents.shape[2..], device: latents.device);
        var mixed = (fft.fftn(noised, dim: axes) * lowPass).Add(fft.fftn(fresh, dim: axes) * lowPass.OneMinus());
        return fft.ifftn(mixed, dim: axes).real.contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Butterworth's filter of clips, [F, h, w] in the order of the Fourier transform.</summary>
    internal static float[] LowPass(int frames, int height, int width)
    {
        // squared frequencies of an axis, 1 being the highest
        static double[] Squares(int count) => [.. Enumerable.Range(0, count).Select(k => Math.Pow(2.0 * ((k + count / 2) % count) / count - 1, 2))];
        var (t, y, x) = (Squares(frames), Squares(height), Squares(width));
        return
        [
            .. from alongT in t
               from alongY in y
               from alongX in x
               select (float)(1 / (1 + Math.Pow((alongT + alongY + alongX) / (StopFrequency * StopFrequency), Order))),
        ];
    }
}
