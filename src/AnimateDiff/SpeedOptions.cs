using AnimateDiff.Denoising;

namespace AnimateDiff;

/// <summary>
/// DeepCache (Ma et al. 2023, arXiv 2312.00858): the inner features of the UNet change little from one step to the next, so that the whole of it runs in every
/// few steps only, and between them its outermost layers with the inner features of the last whole run. Faster, and not quite the same clip. ControlNets and
/// SparseCtrl run in whole steps only too, and what they add is kept as well.
/// </summary>
/// <param name="Interval">The whole UNet runs in each step of this number, usually 2 to 5; 1 is off.</param>
/// <param name="Branch">
/// How far inward the layers of the other steps go: outputs of the way down that are computed anew, less one. 0 is the last layer on the way up alone; 2 is the
/// whole outermost level of Stable Diffusion, 5 the outer two: slower and nearer to the exact clip.
/// </param>
public sealed record DeepCache(int Interval, int Branch = 0)
{
    /// <summary>Reads <c>INTERVAL[:BRANCH]</c>.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="RequestException">It is something else.</exception>
    public static DeepCache Parse(string text)
        => text.Split(':').Select(OptionText.Whole).ToArray() switch
        {
            [{ } interval] => new DeepCache(interval),
            [{ } interval, { } branch] => new DeepCache(interval, branch),
            _ => throw new RequestException($"Deep-feature caching takes INTERVAL or INTERVAL:BRANCH, such as 3 or 3:2, but it was given {text}."),
        };

    /// <summary>Whether a step is left anything out of.</summary>
    internal bool IsOn => Interval > 1;

    /// <summary>Outputs of the way down that are computed in every step.</summary>
    internal int Skips => Branch + 1;

    internal void Validate(GenerationRequest request)
    {
        if (Interval < 1 || Branch < 0)
            throw new RequestException($"Deep-feature caching cannot be done with {Interval}:{Branch}: expected a whole run in each of 1 or more steps, usually 3, and a branch from 0 on.");
        if (IsOn && request.Context is not null)
            throw new RequestException("Deep-feature caching takes over what the UNet has found in the same frames a step before, and context windows have other frames in every step: give one of them.");
    }

    /// <summary>Refuses a branch that a UNet does not have.</summary>
    internal void CheckFor(UNetConfig unet)
    {
        var skips = unet.BlockOutChannels.Count * (unet.LayersPerBlock + 1);
        if (Skips > skips)
            throw new RequestException($"Deep-feature caching is asked for at branch {Branch}; this UNet has the branches 0 to {skips - 1}.");
    }
}

/// <summary>
/// Guidance in some of the steps only (Kynkäänniemi et al. 2024, arXiv 2404.07724): the others compute the positive prompt alone, which is half the work.
/// Early guidance costs variety, and late guidance does little.
/// </summary>
/// <param name="Start">Share of the steps before which there is no guidance.</param>
/// <param name="End">Share of the steps after which there is none.</param>
public sealed record GuidanceInterval(double Start, double End)
{
    /// <summary>Reads <c>START-END</c>.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="RequestException">It is something else.</exception>
    public static GuidanceInterval Parse(string text)
        => text.Split('-').Select(OptionText.Number).ToArray() is [{ } start, { } end] ? new GuidanceInterval(start, end)
            : throw new RequestException($"A guidance interval takes START-END in shares of the steps, such as 0-0.8, but it was given {text}.");

    internal void Validate(GenerationRequest request)
    {
        if (!(Start >= 0 && Start < End && End <= 1))
            throw new RequestException($"Guidance from {Start} to {End} of the steps is not possible: expected shares from 0 to 1, the first below the second.");
        if (!request.IsGuided)
            throw new RequestException($"Guidance in the steps from {Start} to {End} is asked for, and a guidance scale of {request.GuidanceScale} is none: give one above 1, or leave the interval out.");
    }
}
