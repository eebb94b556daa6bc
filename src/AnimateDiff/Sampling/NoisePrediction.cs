using AnimateDiff.Denoising;
using AnimateDiff.Noise;

namespace AnimateDiff.Sampling;

/// <summary>What the UNet says of latents, with guidance.</summary>
/// <param name="unet">The UNet.</param>
/// <param name="text">What it attends to; with guidance the negative half first.</param>
/// <param name="request">Its settings.</param>
internal sealed class NoisePrediction(UNetMotionModel unet, TextContext text, GenerationRequest request)
{
    /// <summary>The prediction of a step, [B, 4, F, h, w].</summary>
    /// <param name="input">Latents as the scheduler scales them for the model, [B, 4, F, h, w].</param>
    /// <param name="scheduler">Knows the timesteps.</param>
    /// <param name="index">Number of the step.</param>
    public Tensor Of(Tensor input, Scheduler scheduler, int index)
    {
        if (!request.IsGuided)
            return unet.call(input, scheduler.TimestepTensor(index, input.shape[0], input.device), text);
        var both = cat([input, input]);                                                                      // [2·B, 4, F, h, w]
        return Guidance.Combine(unet.call(both, scheduler.TimestepTensor(index, both.shape[0], input.device), text), request.GuidanceScale);
    }
}
