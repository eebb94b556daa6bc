using AnimateDiff.Denoising;

namespace AnimateDiff.Control;

/// <summary>The control of one generation: what does not change from step to step is made once, in the caller's dispose scope.</summary>
internal sealed class ControlRun
{
    private sealed record Net(ControlNetModel Model, TextContext Text, Tensor Condition, ControlNetInput Input);

    private sealed record Sparse(SparseControlNetModel Model, TextContext Text, Tensor Condition, double Scale);

    private readonly Net[] _nets;
    private readonly Sparse? _sparse;
    private readonly int _steps;

    private ControlRun(Net[] nets, Sparse? sparse, int steps) => (_nets, _sparse, _steps) = (nets, sparse, steps);

    /// <summary>Reads the pictures of a request, whose networks are in place (<see cref="ControlModels.Set"/>), and embeds them.</summary>
    /// <param name="request">What is generated.</param>
    /// <param name="size">Of the clips.</param>
    /// <param name="parts">The models.</param>
    /// <param name="embeddings">What the UNet attends to, one row per clip.</param>
    /// <param name="steps">Calls of the UNet.</param>
    /// <param name="cancellationToken">Stops between pictures.</param>
    /// <exception cref="FileException">A picture cannot be read, or there are too few.</exception>
    public static ControlRun Start(GenerationRequest request, ClipSize size, PipelineParts parts, Tensor embeddings, int steps, CancellationToken cancellationToken)
    {
        Net[] nets = [.. request.Controls.Select(input =>
        {
            var model = parts.Control.Net(input.Path);
            using var pictures = ControlPictures.Follow(input, size, cancellationToken);
            return new Net(model, model.Prepare(embeddings), model.Embed(pictures), input);
        })];
        if (request.Sparse is not { } control)
            return new ControlRun(nets, null, steps);
        var encoder = parts.Control.Sparse(control.Path);
        var condition = SparseCondition(control, size, parts, encoder, cancellationToken);
        return new ControlRun(nets, new Sparse(encoder, encoder.Prepare(embeddings), condition, control.Scale), steps);
    }

    /// <summary>What is added to the UNet in a step; null for nothing.</summary>
    /// <param name="sample">The UNet's input, [B, 4, F, h, w].</param>
    /// <param name="timestep">[B]</param>
    /// <param name="index">Number of the step.</param>
    public ControlResiduals? At(Tensor sample, Tensor timestep, int index)
    {
        ControlResiduals? sum = null;
        foreach (var (model, text, condition, input) in _nets)
        {
            if (input.Scale != 0 && (double)index / _steps >= input.Start && (double)(index + 1) / _steps <= input.End)
                Add(model.Forward(sample, timestep, text, condition, input.Scale));
        }
        if (_sparse is { } sparse)
            Add(sparse.Model.Forward(timestep, sparse.Text, sparse.Condition, sample.shape[0], sample.shape[2], sparse.Scale));
        return sum;

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
