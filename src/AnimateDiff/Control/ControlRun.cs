using AnimateDiff.Denoising;

namespace AnimateDiff.Control;

/// <summary>The control of one generation: what does not change from step to step is made once, in the caller's dispose scope.</summary>
internal sealed class ControlRun
{
    private sealed record Net(ControlNetModel Model, TextContext Text, Tensor Condition, ControlNetInput Input);

    private sealed record Sparse(SparseControlNetModel Model, TextContext Text, Tensor Condition, Curve Scale);

    private readonly Net[] _nets;
    private readonly Sparse? _sparse;
    private readonly (long Clips, long Frames) _size;
    private readonly (int First, int Count) _steps;

    /// <summary>A curve in a step of the run.</summary>
    public Curve At(Curve curve, int index) => curve.AtStep(index - _steps.First, _steps.Count);

    private ControlRun(Net[] nets, Sparse? sparse, (long, long) size, (int, int) steps) => (_nets, _sparse, _size, _steps) = (nets, sparse, size, steps);

    /// <summary>Reads the pictures of a request, whose networks are in place (<see cref="ControlModels.Set"/>), and embeds them.</summary>
    /// <param name="request">What is generated.</param>
    /// <param name="size">Of the clips.</param>
    /// <param name="parts">The models.</param>
    /// <param name="embeddings">What the UNet attends to, one row per clip or per frame; with guidance the negative half first.</param>
    /// <param name="first">The step that the run begins with.</param>
    /// <param name="evaluations">Steps there would be from pure noise.</param>
    /// <param name="cancellationToken">Stops between pictures.</param>
    /// <exception cref="FileException">A picture cannot be read, or there are too few.</exception>
    public static ControlRun Start(GenerationRequest request, ClipSize size, PipelineParts parts, Tensor embeddings, int first, int evaluations, CancellationToken cancellationToken)
    {
        Net[] nets = [.. request.Controls.Select(input =>
        {
            var model = parts.Control.Net(input.Path);
            using var pictures = ControlPictures.Follow(input, size, cancellationToken);
            return new Net(model, model.Prepare(embeddings), model.Embed(pictures), input);
        })];
        var clips = request.IsGuided ? 2L * size.Clips : size.Clips;
        var (whole, steps) = ((clips, size.Frames), (first, evaluations - first));
        if (request.Sparse is not { } control)
            return new ControlRun(nets, null, whole, steps);
        var encoder = parts.Control.Sparse(control.Path);
        var condition = SparseCondition(control, size, parts, encoder, cancellationToken);
        return new ControlRun(nets, new Sparse(encoder, encoder.Prepare(embeddings), condition, control.Scale), whole, steps);
    }

    /// <summary>What is added to the UNet in a step; null for nothing.</summary>
    /// <param name="sample">The UNet's input, [B, 4, F, h, w]: of all clips, or of the positive half of them.</param>
    /// <param name="timestep">[B], or [1] for all clips.</param>
    /// <param name="index">Number of the step.</param>
    /// <param name="window">Which frames of the clip the sample has; null for all.</param>
    public ControlResiduals? At(Tensor sample, Tensor timestep, int index, long[]? window)
    {
        var (clips, frames, share) = (sample.shape[0], sample.shape[2], (double)(index - _steps.First));
        ControlResiduals? sum = null;
        foreach (var (model, text, condition, input) in _nets)
        {
            var scale = At(input.Scale, index);
            if (scale == 0 || share / _steps.Count < input.Start || (share + 1) / _steps.Count > input.End)
                continue;
            using var own = Rows(text);
            using var pictures = Pictures(condition);
            Add(Weighed(model.Forward(sample, timestep, own, pictures, Factor(scale)), scale));
        }
        if (_sparse is { } sparse)
        {
            using var own = Rows(sparse.Text);
            using var pictures = Pictures(sparse.Condition);
            var scale = At(sparse.Scale, index);
            Add(Weighed(sparse.Model.Forward(timestep, own, pictures, clips, frames, Factor(scale)), scale));
        }
        return sum;

        TextContext Rows(TextContext text)
        {
            using var those = text.Last(text.Rows / _size.Clips * clips);
            return those.Of(window, clips, _size.Frames);
        }

        Tensor Pictures(Tensor condition)                                                                    // [F or 1, C, h, w]
        {
            if (window is null || condition.shape[0] == 1)
                return condition.alias();
            using var places = tensor(window, device: condition.device);
            return condition.index_select(0, places);
        }

        static double Factor(Curve scale) => scale.IsConstant ? scale.InFrame(0) : 1;

        ControlResiduals Weighed(ControlResiduals residuals, Curve scale) => scale.IsConstant ? residuals
            : residuals.Weighed(window is null ? scale.InFrames(frames) : [.. window.Select(frame => (float)scale.InFrame(frame))]);

        void Add(ControlResiduals more) => sum = sum is null ? more : sum.Plus(more);
    }

    // Pictures, or latents of pictures, in their frames, and zeros in the others; the mask says which is which.
    private static Tensor SparseCondition(
        SparseControl control, ClipSize size, PipelineParts parts, SparseControlNetModel encoder, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        var given = ControlPictures.Sparse(control, size, cancellationToken);                                // [n, 3, H, W] in 0…1
        if (encoder.TakesLatents)
            given = Latents(given, parts);                                                                   // [n, 4, h, w]
        long[] frames = [.. control.FramesOf(size.Frames)];
        using var places = tensor(frames);
        var condition = zeros([size.Frames, .. given.shape[1..]]).index_copy_(0, places, given);
        var mask = zeros([size.Frames, 1, .. given.shape[2..]]).index_fill_(0, places, Scalars.One);
        return encoder.Embed(condition, mask).MoveToOuterDisposeScope();
    }

    // Their mean, so that a seed decides everything: the published pipelines draw around it from a generator that their seed does not set.
    private static Tensor Latents(Tensor pictures, PipelineParts parts)
    {
        using var distribution = parts.Vae.Encode(pictures.Times(2).Add(-1));
        return distribution.Mean.Times(parts.Vae.Config.ScalingFactor).to(CPU);
    }
}
