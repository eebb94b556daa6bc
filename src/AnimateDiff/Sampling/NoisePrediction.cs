using AnimateDiff.Control;
using AnimateDiff.Denoising;
using AnimateDiff.Noise;

namespace AnimateDiff.Sampling;

/// <summary>What the UNet says of latents, with guidance and control.</summary>
/// <param name="unet">The UNet.</param>
/// <param name="text">What it attends to; with guidance the negative half first.</param>
/// <param name="request">Its settings.</param>
/// <param name="control">What steers it.</param>
internal sealed class NoisePrediction(UNetMotionModel unet, TextContext text, GenerationRequest request, ControlRun control)
{
    /// <summary>The prediction of a step, [B, 4, F, h, w].</summary>
    /// <param name="input">Latents as the scheduler scales them for the model, [B, 4, F, h, w].</param>
    /// <param name="scheduler">Knows the timesteps.</param>
    /// <param name="index">Number of the step.</param>
    public Tensor Of(Tensor input, Scheduler scheduler, int index)
    {
        if (!request.IsGuided)
            return Predict(input, scheduler, index);
        var both = cat([input, input]);                                                                      // [2·B, 4, F, h, w]
        return Guidance.Combine(Predict(both, scheduler, index), request.GuidanceScale);
    }

    private Tensor Predict(Tensor sample, Scheduler scheduler, int index)
    {
        var timestep = scheduler.TimestepTensor(index, sample.shape[0], sample.device);
        using var residuals = control.At(sample, timestep, index);
        return unet.Forward(sample, timestep, text, residuals);
    }
}
