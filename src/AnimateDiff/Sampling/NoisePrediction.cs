using AnimateDiff.Control;
using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Noise;

namespace AnimateDiff.Sampling;

/// <summary>What the UNet says of latents, with guidance and control.</summary>
/// <param name="unet">The UNet.</param>
/// <param name="text">What it attends to.</param>
/// <param name="request">Its settings.</param>
/// <param name="scheduler">Knows the timesteps.</param>
/// <param name="control">What steers it.</param>
/// <param name="inTurn">Whether the two halves of guidance are computed one after the other.</param>
/// <param name="deep">Keeps the inner features from step to step; null where every step is a whole one.</param>
internal sealed class NoisePrediction(UNetMotionModel unet, ClipText text, GenerationRequest request, Scheduler scheduler, ControlRun control, bool inTurn = false,
    DeepCacheRun? deep = null)
{
    private readonly IReadOnlyList<Attention> _perturbed = UNetChanges.Perturbed(unet, request.PerturbedAttention);

    /// <summary>The windows of frames that are looked at one after the other; null where a clip is seen whole.</summary>
    public ContextWindows? Windows { get; } = request.Context is null ? null : new ContextWindows(request.Context);

    /// <summary>The prediction of a step, [B, 4, F, h, w].</summary>
    /// <param name="latents">[B, 4, F, h, w]</param>
    /// <param name="index">Number of the step.</param>
    public Tensor Of(Tensor latents, int index)
    {
        if (Windows is null || Windows.SeeWhole(latents.shape[2]))
            return Of(latents, index, null);
        using var scope = NewDisposeScope();
        var whole = empty_like(latents);
        foreach (var (frames, prediction) in Of(latents.shape[2], own => latents.index_select(2, own), index))
            using (prediction)
                whole.index_copy_(2, tensor(frames, device: latents.device), prediction);
        return whole.MoveToOuterDisposeScope();
    }

    /// <summary>The prediction of a step in windows, frames as they are finished, [B, 4, n, h, w].</summary>
    /// <param name="frames">F</param>
    /// <param name="latents">The latents of some frames, [B, 4, n, h, w].</param>
    /// <param name="index">Number of the step.</param>
    public IEnumerable<(long[] Frames, Tensor Prediction)> Of(long frames, Func<Tensor, Tensor> latents, int index) => Windows!.Average((int)frames, index, window =>
    {
        using var scope = NewDisposeScope();
        return Of(latents(tensor(window)), index, window).MoveToOuterDisposeScope();
    });

    /// <summary>The prediction of a step for some frames of the clip that are looked at by themselves, [B, 4, n, h, w].</summary>
    /// <param name="latents">Theirs, [B, 4, n, h, w].</param>
    /// <param name="index">Number of the step.</param>
    /// <param name="window">Which they are; null for all.</param>
    public Tensor Of(Tensor latents, int index, long[]? window)
    {
        using var scope = NewDisposeScope();
        deep?.Begin(control.StepOf(index));
        var input = scheduler.ScaleModelInput(latents, index);
        var timestep = scheduler.TimestepTensor(index, 1, input.device);
        var scale = request.GuidanceInterval is not var (start, end) || control.IsWithin(start, end, index) ? control.At(request.GuidanceScale, index) : 1;
        var isGuided = Guidance.IsOn(scale);
        var said = !isGuided ? Call(input, timestep, index, window)                                          // [2·B, 4, n, h, w] with guidance
            : inTurn ? cat([Call(input, timestep, index, window, negative: true), Call(input, timestep, index, window)])
            : Call(cat([input, input]), timestep, index, window);
        var positive = isGuided ? said.chunk(2)[1] : said;
        var guided = isGuided ? Guidance.Combine(said, scale, window) : said;
        if (_perturbed.Count > 0)
            guided = guided.Add((positive - Perturbed(input, timestep, index, window)).Times(request.PerturbedAttention!.Scale));
        if (request.GuidanceRescale > 0)
            guided = Guidance.Rescale(guided, positive, request.GuidanceRescale);
        return guided.MoveToOuterDisposeScope();
    }

    // The positive prompt's branch where the chosen layers see every place by itself alone.
    private Tensor Perturbed(Tensor input, Tensor timestep, int index, long[]? window)
    {
        foreach (var layer in _perturbed)
            layer.IsIdentity = true;
        try
        {
            return Call(input, timestep, index, window, perturbed: true);
        }
        finally
        {
            foreach (var layer in _perturbed)
                layer.IsIdentity = false;
        }
    }

    private Tensor Call(Tensor sample, Tensor timestep, int index, long[]? window, bool negative = false, bool perturbed = false)
    {
        var kept = deep?.For(sample.shape[0], negative, perturbed);
        using var own = text.At(sample.shape[0], window, negative);
        unet.InView.Show(sample.shape[0], sample.shape[2], window);
        using var residuals = kept is { Kept: not null } ? null : control.At(sample, timestep, index, window, negative);
        return unet.Forward(sample, timestep, own, residuals, kept);
    }
}
