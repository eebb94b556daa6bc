using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Sampling;
using AnimateDiff.Video;

namespace AnimateDiff.Control;

/// <summary>The control of one generation: what does not change from step to step is made once, in the caller's dispose scope.</summary>
internal sealed class ControlRun
{
    private sealed record Net(ControlNetModel Model, ClipText Text, Func<long[]?, Tensor> Condition, ControlNetInput Input);

    private sealed record Sparse(SparseControlNetModel Model, ClipText Text, Func<long[]?, Tensor> Condition, Curve Scale);

    private readonly Net[] _nets;
    private readonly Sparse? _sparse;
    private readonly (int First, int Count) _steps;

    /// <summary>A curve in a step of the run.</summary>
    public Curve At(Curve curve, int index) => curve.AtStep(StepOf(index), _steps.Count);

    /// <summary>Number of a step among those that are run, from 0.</summary>
    public int StepOf(int index) => index - _steps.First;

    /// <summary>Whether a step is between two shares of the steps that are run.</summary>
    public bool IsWithin(double start, double end, int index) => (double)StepOf(index) / _steps.Count >= start && (StepOf(index) + 1.0) / _steps.Count <= end;

    private ControlRun(Net[] nets, Sparse? sparse, (int, int) steps) => (_nets, _sparse, _steps) = (nets, sparse, steps);

    /// <summary>Reads the pictures of a request, whose networks are in place (<see cref="ControlModels.Set"/>).</summary>
    /// <param name="request">What is generated.</param>
    /// <param name="size">Of the clips.</param>
    /// <param name="parts">The models.</param>
    /// <param name="prompts">What the networks attend to, as the UNet does.</param>
    /// <param name="first">The step that the run begins with.</param>
    /// <param name="evaluations">Steps there would be from pure noise.</param>
    /// <param name="cancellationToken">Stops between pictures.</param>
    /// <exception cref="FileException">A picture cannot be read, or there are too few.</exception>
    public static ControlRun Start(GenerationRequest request, ClipSize size, PipelineParts parts, PromptTravel prompts, int first, int evaluations, CancellationToken cancellationToken)
    {
        ClipText Text(ControlEncoder model) => new(prompts, size.Frames, request.Context is not null && prompts.Travels, (embeddings, _) => model.Prepare(embeddings));
        Net[] nets = [.. request.Controls.Select(input =>
        {
            var model = parts.Control.Net(input.Path);
            model.FrameAttention = request.IsZeroShot ? FrameAttention.First : FrameAttention.Own;         // as the published code has it
            return new Net(model, Text(model), Follow(model, ControlPictures.Follow(input, size, inFile: size.IsLong(request), cancellationToken), request.Context is not null), input);
        })];
        var steps = (first, evaluations - first);
        if (request.Sparse is not { } control)
            return new ControlRun(nets, null, steps);
        var encoder = parts.Control.Sparse(control.Path);
        return new ControlRun(nets, new Sparse(encoder, Text(encoder), SparseCondition(control, size, parts, encoder, cancellationToken), control.Scale), steps);
    }

    /// <summary>What is added to the UNet in a step; null for nothing.</summary>
    /// <param name="sample">The UNet's input, [B, 4, F, h, w]: of all clips, or of the positive half of them.</param>
    /// <param name="timestep">[B], or [1] for all clips.</param>
    /// <param name="index">Number of the step.</param>
    /// <param name="window">Which frames of the clip the sample has; null for all.</param>
    /// <param name="negative">Whether the sample is for the negative half alone.</param>
    public ControlResiduals? At(Tensor sample, Tensor timestep, int index, long[]? window, bool negative = false)
    {
        var (clips, frames) = (sample.shape[0], sample.shape[2]);
        ControlResiduals? sum = null;
        foreach (var (model, text, condition, input) in _nets)
        {
            var scale = At(input.Scale, index);
            if (scale == 0 || !IsWithin(input.Start, input.End, index))
                continue;
            using var own = text.At(clips, window, negative);
            using var pictures = condition(window);
            Add(Weighed(model.Forward(sample, timestep, own, pictures, Factor(scale)), scale));
        }
        if (_sparse is { } sparse)
        {
            using var own = sparse.Text.At(clips, window, negative);
            using var pictures = sparse.Condition(window);
            var scale = At(sparse.Scale, index);
            Add(Weighed(sparse.Model.Forward(timestep, own, pictures, clips, frames, Factor(scale)), scale));
        }
        return sum;

        static double Factor(Curve scale) => scale.IsConstant ? scale.InFrame(0) : 1;

        ControlResiduals Weighed(ControlResiduals residuals, Curve scale) => scale.IsConstant ? residuals : residuals.Weighed(scale.InFrames(frames, window));

        void Add(ControlResiduals more) => sum = sum is null ? more : sum.Plus(more);
    }

    // The features of some frames' pictures, [n or 1, C, h, w]: made once, or where the clip is seen in windows for each window, since they take megabytes a frame.
    private static Func<long[]?, Tensor> Follow(ControlNetModel model, VideoFrames pictures, bool windowed)
    {
        if (windowed && pictures.Frames > 1)
            return window =>
            {
                using var own = ControlPictures.ToTensor(window is null ? pictures : pictures.Select(window));
                return model.Embed(own);
            };
        using var all = ControlPictures.ToTensor(pictures);
        var embedded = model.Embed(all);
        return window => window is null || embedded.shape[0] == 1 ? embedded.alias() : embedded.index_select(0, tensor(window, device: embedded.device));
    }

    // Pictures, or latents of pictures, in their frames, and zeros in the others; the mask says which is which. [n, C, h, w]
    private static Func<long[]?, Tensor> SparseCondition(
        SparseControl control, ClipSize size, PipelineParts parts, SparseControlNetModel encoder, CancellationToken cancellationToken)
    {
        var given = ControlPictures.Sparse(control, size, cancellationToken);                                // [k, 3, H, W] in 0…1
        if (encoder.TakesLatents)
            given = given.Then(pictures => Latents(pictures, parts));                                        // [k, 4, h, w]
        var pictured = control.FramesOf(size.Frames);
        return window =>
        {
            using var scope = NewDisposeScope();
            var frames = window ?? [.. Enumerable.Range(0, size.Frames).Select(frame => (long)frame)];
            (long Place, long Picture)[] own = [.. frames.Index().Select(frame => ((long)frame.Index, (long)pictured.IndexOf((int)frame.Item))).Where(found => found.Item2 >= 0)];
            var places = tensor(own.Select(found => found.Place).ToArray());
            var pictures = given.index_select(0, tensor(own.Select(found => found.Picture).ToArray()));
            var condition = zeros([frames.Length, .. given.shape[1..]]).index_copy_(0, places, pictures);
            var mask = zeros([frames.Length, 1, .. given.shape[2..]]).index_fill_(0, places, Scalars.One);
            return encoder.Embed(condition, mask).MoveToOuterDisposeScope();
        };
    }

    // Their mean, so that a seed decides everything: the published pipelines draw around it from a generator that their seed does not set.
    private static Tensor Latents(Tensor pictures, PipelineParts parts)
    {
        using var distribution = parts.Vae.Encode(pictures.Times(2).Add(-1));
        return distribution.Mean.Times(parts.Vae.Config.ScalingFactor).to(CPU);
    }
}
