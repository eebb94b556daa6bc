using AnimateDiff.Denoising;
using AnimateDiff.Noise;
using AnimateDiff.Weights;

namespace AnimateDiff.Sampling;

/// <summary>What a request's method asks of the models, and how they are run for it.</summary>
internal static class MethodRules
{
    // Of a scheduler's configuration, what belongs to the model and not to the sampler.
    private static readonly string[] Schedule = ["num_train_timesteps", "beta_schedule", "beta_start", "beta_end", "prediction_type", "steps_offset"];

    /// <summary>Refuses a method that the models are not made for.</summary>
    /// <param name="request">The request.</param>
    /// <param name="hasMotion">Whether there is a motion module.</param>
    /// <param name="isTuneAVideo">Whether the base model was tuned by Tune-A-Video.</param>
    public static void Check(GenerationRequest request, bool hasMotion, bool isTuneAVideo)
    {
        switch (request.Method)
        {
            case GenerationMethod.Text2VideoZero when hasMotion:
                throw new RequestException("Text2Video-Zero makes clips with an image model alone, and a motion module would move what it has moved again: leave out --motion, or --method.");
            case GenerationMethod.Text2VideoZero when isTuneAVideo:
                throw new RequestException("Text2Video-Zero makes clips with an image model as it is, and this one was tuned on a video by Tune-A-Video: give the base model it was made from, or leave out --method.");
            case GenerationMethod.TuneAVideo when !isTuneAVideo:
                throw new RequestException("Tune-A-Video makes clips with a model that was tuned on a video, and this one was not: make one with animatediff train and a recipe of the stage tune-a-video, and give its folder as --base.");
            case GenerationMethod.AnimateDiff when isTuneAVideo:
                throw new RequestException("AnimateDiff makes clips with a motion module, and this model was tuned on a video by Tune-A-Video: leave out --method, or give another --base.");
        }
    }

    /// <summary>Whose keys and values the self-attention of the image layers sees.</summary>
    public static FrameAttention FrameAttentionOf(GenerationRequest request, bool isTuneAVideo) =>
        request.IsZeroShot ? FrameAttention.First : isTuneAVideo ? FrameAttention.FirstAndFormer : FrameAttention.Own;

    /// <summary>
    /// A request with what its method decides where nothing else does: Text2Video-Zero and Tune-A-Video sample on the noise schedule of the image model, which for Stable
    /// Diffusion is not that of AnimateDiff's motion modules.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="isTuneAVideo">Whether the base model was tuned by Tune-A-Video.</param>
    /// <param name="schedulerConfig">The base model's <c>scheduler_config.json</c>; null for Stable Diffusion 1.5's schedule.</param>
    public static GenerationRequest Settle(GenerationRequest request, bool isTuneAVideo, string? schedulerConfig)
    {
        if (!request.IsZeroShot && !isTuneAVideo)
            return request;
        var accepted = Scheduler.Create(request.Scheduler, request.SchedulerOptions, request.Steps).Info.Accepts;
        var options = ScheduleOf(schedulerConfig).Where(option => accepted.Contains(option.Key)).ToDictionary();
        foreach (var (name, value) in request.SchedulerOptions)
            options[name] = value;
        return request with { SchedulerOptions = options, ZeroShot = request.IsZeroShot ? request.ZeroShotInEffect.Settled(request.Steps) : request.ZeroShot };
    }

    private static Dictionary<string, string> ScheduleOf(string? config)
    {
        var (own, usual) = (ModelConfigs.SchedulerOf(config), ModelConfigs.SchedulerOf(null));
        return Schedule.ToDictionary(name => name, name => (own[name] ?? usual[name])!.ToString());
    }
}
