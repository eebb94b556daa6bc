namespace AnimateDiff.Noise;

/// <summary>The noise a generation starts from: drawn in single precision on the CPU, so that a seed gives the same video on every device.</summary>
public static class InitialLatents
{
    /// <summary>Channels of Stable Diffusion's latent space.</summary>
    public const int Channels = 4;

    /// <summary>A CPU generator for a seed. Seeds are unsigned 64-bit numbers, as PyTorch's are.</summary>
    public static Generator Seeded(ulong seed) => new(seed, CPU);

    /// <summary>One draw for the whole batch, as diffusers makes it from one generator.</summary>
    /// <param name="generator">CPU generator; a stochastic sampler goes on drawing from it.</param>
    /// <param name="batch">B, number of videos.</param>
    /// <param name="frames">F, number of frames of each.</param>
    /// <param name="height">Height in latent pixels, an eighth of the image's.</param>
    /// <param name="width">Width in latent pixels, an eighth of the image's.</param>
    /// <param name="initNoiseSigma"><see cref="Scheduler.InitNoiseSigma"/>.</param>
    /// <param name="device">Where the latents go, the CPU by default.</param>
    /// <returns>Single precision <c>[B, 4, F, height, width]</c>.</returns>
    public static Tensor Draw(Generator generator, int batch, int frames, int height, int width, double initNoiseSigma, Device? device = null)
    {
        using var scope = NewDisposeScope();
        var noise = randn([batch, Channels, frames, height, width], ScalarType.Float32, CPU, generator: generator);
        return noise.Times(initNoiseSigma).to(device ?? CPU).MoveToOuterDisposeScope();
    }

    /// <summary>A draw of its own for every video of the batch, so that each is the one its seed gives alone.</summary>
    /// <param name="seeds">One per video.</param>
    /// <param name="frames">F, number of frames of each.</param>
    /// <param name="height">Height in latent pixels, an eighth of the image's.</param>
    /// <param name="width">Width in latent pixels, an eighth of the image's.</param>
    /// <param name="initNoiseSigma"><see cref="Scheduler.InitNoiseSigma"/>.</param>
    /// <param name="device">Where the latents go, the CPU by default.</param>
    /// <returns>Single precision <c>[B, 4, F, height, width]</c> for B seeds.</returns>
    public static Tensor Draw(IReadOnlyList<ulong> seeds, int frames, int height, int width, double initNoiseSigma, Device? device = null)
    {
        using var scope = NewDisposeScope();
        var draws = new List<Tensor>();
        foreach (var seed in seeds)
        {
            using var generator = Seeded(seed);
            draws.Add(Draw(generator, 1, frames, height, width, initNoiseSigma));
        }
        return cat(draws).to(device ?? CPU).MoveToOuterDisposeScope();
    }
}
