using AnimateDiff.Noise;

namespace AnimateDiff.Sampling;

/// <summary>The noise of a run's first step.</summary>
internal static class StartNoise
{
    /// <summary>Noise of a standard deviation, [B, 4, F, h, w] in fp32.</summary>
    /// <param name="request">Says how the frames' noises belong together.</param>
    /// <param name="size">Of the clips.</param>
    /// <param name="height">h, in latent pixels.</param>
    /// <param name="width">w, in latent pixels.</param>
    /// <param name="sigma">The standard deviation.</param>
    /// <param name="generator">Draws it, and the order of frames.</param>
    /// <param name="device">Where it goes.</param>
    /// <param name="again">Whether it is a request's second run, whose frames' own noises are not the first one's.</param>
    public static Tensor Draw(
        GenerationRequest request, ClipSize size, int height, int width, double sigma, Generator generator, Device device, bool again = false)
    {
        using var scope = NewDisposeScope();
        Tensor Frames(int count) => InitialLatents.Draw(generator, size.Clips, count, height, width, sigma, device);
        var noise = request.NoiseInEffect switch
        {
            NoiseKind.Constant => Frames(1).expand(-1, -1, size.Frames, -1, -1).contiguous(),
            NoiseKind.Repeated when request.Window is var (length, _) && length < size.Frames
                => Select(Frames(length), [.. Enumerable.Range(0, size.Frames).Select(frame => (long)frame % length)]),
            NoiseKind.Shuffled when request.Window is var (length, stride) => Select(Frames(size.Frames), Shuffle(size.Frames, length, stride, generator)),
            _ => Frames(size.Frames),
        };
        Reseed(noise, request, 0, sigma, again);
        return noise.MoveToOuterDisposeScope();
    }

    /// <summary>The same for a clip that is not held in memory, some frames after the other, [B, 4, n, h, w] each: the draws are of so many frames, too.</summary>
    public static IEnumerable<Tensor> DrawBlocks(
        GenerationRequest request, ClipSize size, IEnumerable<long[]> blocks, int height, int width, double sigma, Generator generator, Device device)
    {
        var length = Math.Min(request.Window?.Length ?? size.Frames, size.Frames);
        Tensor Frames(int count) => InitialLatents.Draw(generator, size.Clips, count, height, width, sigma, device);
        var kind = request.NoiseInEffect;
        using var repeated = kind is NoiseKind.Random or NoiseKind.PerFrame ? null : Frames(kind == NoiseKind.Constant ? 1 : length);
        var order = kind == NoiseKind.Shuffled ? Shuffle(size.Frames, length, request.Window!.Value.Stride, generator) : null;
        foreach (var block in blocks)
        {
            var noise = repeated is null ? Frames(block.Length) : Select(repeated, [.. block.Select(frame => order is null ? frame % repeated.shape[2] : order[frame])]);
            Reseed(noise, request, (int)block[0], sigma);
            yield return noise;
        }
    }

    /// <summary>
    /// Draws the noise of frames that have a seed of their own in the place of what was drawn for them. What the run's generator draws stays the same, so that
    /// other frames and a stochastic sampler's noise do not change.
    /// </summary>
    /// <param name="noise">Of consecutive frames, [B, 4, n, h, w]; changed.</param>
    /// <param name="request">Knows the seeds.</param>
    /// <param name="first">The first of the frames.</param>
    /// <param name="sigma">The standard deviation.</param>
    /// <param name="again">Whether it is a second run's: a seed's complement is taken, so that no noise is used twice.</param>
    public static void Reseed(Tensor noise, GenerationRequest request, int first, double sigma, bool again = false)
    {
        var own = request.FrameSeeds.ToDictionary(frame => frame.Frame, frame => frame.Seed);
        var perFrame = request.NoiseInEffect == NoiseKind.PerFrame;
        for (var place = 0; place < noise.shape[2]; place++)
        {
            var frame = first + place;
            if (!own.TryGetValue(frame, out var seed))
            {
                if (!perFrame)
                    continue;
                seed = unchecked(request.Seed + (ulong)frame);
            }
            using var scope = NewDisposeScope();
            using var generator = InitialLatents.Seeded(again ? ~seed : seed);
            noise.narrow(2, place, 1).copy_(InitialLatents.Draw(generator, (int)noise.shape[0], 1, (int)noise.shape[3], (int)noise.shape[4], sigma, noise.device));
        }
    }

    /// <summary>
    /// Which drawn frame each frame's noise is, as diffusers' FreeNoise has it: the first <paramref name="length"/> have their own, and every
    /// <paramref name="stride"/> frames after them take those of as many frames one window earlier, in an order of their own.
    /// </summary>
    internal static long[] Shuffle(int frames, int length, int stride, Generator generator)
    {
        long[] from = [.. Enumerable.Range(0, frames).Select(frame => (long)frame)];
        for (var start = length; start < frames; start += stride)
        {
            using var order = randperm(stride, generator: generator);
            var shuffled = order.data<long>().Select(offset => from[start - length + offset]).ToArray();
            shuffled.AsSpan(0, Math.Min(stride, frames - start)).CopyTo(from.AsSpan(start));
        }
        return from;
    }

    private static Tensor Select(Tensor noise, long[] frames)
    {
        using var index = tensor(frames, device: noise.device);
        return noise.index_select(2, index);
    }
}
