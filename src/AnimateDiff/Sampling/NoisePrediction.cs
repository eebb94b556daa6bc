using AnimateDiff.Control;
using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Noise;

namespace AnimateDiff.Sampling;

/// <summary>What the UNet says of latents, with guidance and control.</summary>
/// <param name="unet">The UNet.</param>
/// <param name="text">What it attends to; with guidance the negative half first.</param>
/// <param name="request">Its settings.</param>
/// <param name="control">What steers it.</param>
internal sealed class NoisePrediction(UNetMotionModel unet, TextContext text, GenerationRequest request, ControlRun control)
{
    private readonly IReadOnlyList<Attention> _perturbed = UNetChanges.Perturbed(unet, request.PerturbedAttention);
    private readonly ContextWindows? _windows = request.Context is null ? null : new ContextWindows(request.Context);

    /// <summary>The prediction of a step, [B, 4, F, h, w].</summary>
    /// <param name="input">Latents as the scheduler scales them for the model, [B, 4, F, h, w].</param>
    /// <param name="scheduler">Knows the timesteps.</param>
    /// <param name="index">Number of the step.</param>
    public Tensor Of(Tensor input, Scheduler scheduler, int index)
    {
        using var scope = NewDisposeScope();
        var timestep = scheduler.TimestepTensor(index, 1, input.device);
        var scale = control.At(request.GuidanceScale, index);
        var isGuided = Guidance.IsOn(scale);
        using var own = isGuided ? text.Last(text.Rows) : Positive();
        var said = Call(isGuided ? cat([input, input]) : input, timestep, own, index);                       // [2·B, 4, F, h, w] with guidance
        var positive = isGuided ? said.chunk(2)[1] : said;
        var guided = isGuided ? Guidance.Combine(said, scale) : said;
        if (_perturbed.Count > 0)
            guided = guided.Add((positive - Perturbed(input, timestep, index)).Times(request.PerturbedAttention!.Scale));
        if (request.GuidanceRescale > 0)
            guided = Guidance.Rescale(guided, positive, request.GuidanceRescale);
        return guided.MoveToOuterDisposeScope();
    }

    // The positive prompt's branch where the chosen layers see every place by itself alone.
    private Tensor Perturbed(Tensor input, Tensor timestep, int index)
    {
        foreach (var layer in _perturbed)
            layer.IsIdentity = true;
        try
        {
            using var positive = Positive();
            return Call(input, timestep, positive, index);
        }
        finally
        {
            foreach (var layer in _perturbed)
                layer.IsIdentity = false;
        }
    }

    // The context's negative half is there in every step of a run that is guided in any.
    private TextContext Positive() => text.Last(request.IsGuided ? text.Rows / 2 : text.Rows);

    private Tensor Call(Tensor input, Tensor timestep, TextContext prompts, int index)
    {
        return _windows is null ? Of(input, prompts, null) : _windows.Average(input, prompts, index, Of);

        Tensor Of(Tensor sample, TextContext own, long[]? window)
        {
            unet.InView.Show(sample.shape[0], sample.shape[2], window);
            using var residuals = control.At(sample, timestep, index, window);
            return unet.Forward(sample, timestep, own, residuals);
        }
    }
}
