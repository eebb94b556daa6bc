using AnimateDiff.Noise;
using AnimateDiff.Noise.Samplers;

namespace AnimateDiff.Sampling;

/// <summary>What a request has to be for its source to be turned back to noise.</summary>
internal static class Inversion
{
    /// <summary>The sampler that makes the clip again from the noise; its steps are taken backwards.</summary>
    /// <exception cref="RequestException">The request has no clip to invert, or asks for something that has no way back.</exception>
    public static Scheduler SamplerOf(GenerationRequest request)
    {
        if (request.Source is not { Kind: SourceKind.Video or SourceKind.Latents, Mask: null })
            throw new RequestException("An inversion turns a clip to noise, and there is none: give a video as the source, without a mask.");
        if (request.Prompts.Count != 1)
            throw new RequestException($"{request.Prompts.Count} prompts are given for one clip that is inverted: give one, which says what the clip shows.");
        if (request.Scheduler != DdimScheduler.Entry.Name)
            throw new RequestException($"The steps of {request.Scheduler} cannot be taken backwards: invert with ddim.");
        if (request.Hires is not null || request.Finish.Count > 0 || request.WorkFolder is not null)
            throw new RequestException("An inversion ends with noise and is one run in memory: leave out what is done to a finished clip (hires, finish) and the work folder.");
        return Scheduler.Create(request.Scheduler, request.SchedulerOptions, request.Steps);
    }
}
